"""Which RSA keys of a signing certificate are used. Pure, over plain numbers.

One rule for both, directory which takes a certificate and sso-gateway which verifies with its key: what the one trusts
the other uses.
"""

MIN_BITS = 2048
MAX_BITS = 8192
"""Above this one verification would cost milliseconds."""
MAX_EXPONENT_BITS = 64
"""A longer one costs milliseconds, too, and where the key has more than 3072 bits OpenSSL verifies nothing with it."""


def why_unusable(modulus: int, exponent: int) -> str | None:
    """What came and what was wanted, as the end of a sentence that begins with "its key"; None: the key will do."""
    if not MIN_BITS <= modulus.bit_length() <= MAX_BITS:
        return f"has {modulus.bit_length()} bits; {MIN_BITS} to {MAX_BITS} are wanted"
    if exponent.bit_length() > MAX_EXPONENT_BITS:
        return f"has a public exponent of {exponent.bit_length()} bits; at most {MAX_EXPONENT_BITS} are wanted"
    if modulus % 2 == 0 or exponent % 2 == 0 or exponent < 3:
        return "is no RSA key that can sign; an odd modulus, and an odd exponent of at least 3, are wanted"
    return None
