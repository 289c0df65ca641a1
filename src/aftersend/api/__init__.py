"""The API for programs: JSON, bearer tokens, no cookies."""
