"""Login traces: what became of every attempt to sign in."""
