"""The machine below: clock, files, entropy, telemetry. Only `app.py` makes the real ones."""
