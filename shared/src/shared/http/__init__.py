"""The HTTP side that the three services have in common."""
