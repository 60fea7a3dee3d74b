"""The web page: static files and the routes that serve them; every file is served from here."""
