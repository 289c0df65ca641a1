"""The control plane: SQL tables of low volume or one row a message, never one row a hit."""
