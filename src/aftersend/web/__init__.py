"""Pages, drawn on the server; `app.build` puts them together."""
