"""The operator's command: `directory serve|migrate|sweep|company …`."""
