"""Technical workflows: what there is, when it runs, who runs it, and what came of it."""
