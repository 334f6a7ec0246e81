"""sso-gateway: what browsers and applications talk to. Proves who Entra says it is; keeps nothing that matters."""
