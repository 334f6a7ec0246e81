"""SCIM 2.0 as Entra speaks it. Pure: bytes and values in, values or `ScimError` out; no I/O."""
