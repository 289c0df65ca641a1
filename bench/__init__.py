"""Measurements: how fast the hot paths are, each against something else in the same run."""
