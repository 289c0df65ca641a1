"""Commands: one module a group. They parse, call one function below, and print."""
