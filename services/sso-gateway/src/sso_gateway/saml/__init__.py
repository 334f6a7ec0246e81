"""SAML 2.0 as a service provider of Microsoft Entra ID."""
