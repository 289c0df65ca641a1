"""The steps of the Tracking workflow: download lines, load them once, consolidate statistics."""
