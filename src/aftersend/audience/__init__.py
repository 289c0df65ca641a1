"""Recipients who are not there: they read, open, click and forward what was really sent.

Used by `selftest`, `simulate` and `demo`. Nothing here knows the database or the lake: it gets
messages as a mail server received them, and reacts over HTTP on a real tracking server.
"""
