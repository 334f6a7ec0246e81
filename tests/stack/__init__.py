"""What `make run` starts: embedded PostgreSQL, the three services, the simulated Entra ID and the demo companies."""
