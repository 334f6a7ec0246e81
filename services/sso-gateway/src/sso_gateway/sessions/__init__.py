"""The session of a browser: its cookies, whose it is, and its end."""
