"""Aftersend tells what happened to every message after it was sent."""
