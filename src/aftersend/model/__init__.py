"""The vocabulary of tracking and its wire formats: pure, the standard library only."""
