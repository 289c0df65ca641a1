"""The Tracking workflow: download lines, load them once, attribute visits, consolidate."""
