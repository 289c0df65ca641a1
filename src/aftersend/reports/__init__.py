"""Reports: every figure has one written formula, and a list of the rows behind it."""
