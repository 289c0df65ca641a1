"""Schema changes, oldest first; a landed one is never edited."""
