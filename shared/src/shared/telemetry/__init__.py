"""Logs, metrics and traces: the same three for every service."""
