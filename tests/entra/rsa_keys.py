"""RSA keys for a simulator that makes thousands: each its own, for the price of putting two primes together.

A key of 2048 bits takes a tenth of a second to find, which is the search for its two primes. Any two of the primes found so
far make another key, so that n primes make n (n - 1) / 2 keys, and no two keys are the same one or open what the other signed.
Whoever has two public keys that share a prime can compute both private keys: nobody may ever trust one outside a simulator.
"""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

BITS = 2048
EXPONENT = 65537

_primes: list[int] = []
_pairs: list[tuple[int, int]] = []


def new_key(bits: int = BITS) -> rsa.RSAPrivateKey:
    """One that was never given before in this process; another size than usual is searched for."""
    if bits != BITS:
        return rsa.generate_private_key(public_exponent=EXPONENT, key_size=bits)
    if not _pairs:
        found = rsa.generate_private_key(public_exponent=EXPONENT, key_size=bits).private_numbers()
        # Found together, they make a key; and each makes one with every prime there was.
        _pairs.append((found.p, found.q))
        _pairs.extend((new, old) for new in (found.p, found.q) for old in _primes)
        _primes.extend((found.p, found.q))
    return _together(*_pairs.pop())


def _together(p: int, q: int) -> rsa.RSAPrivateKey:
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p,
        q,
        d,
        rsa.rsa_crt_dmp1(d, p),
        rsa.rsa_crt_dmq1(d, q),
        rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(EXPONENT, p * q),
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def load(pem: str) -> rsa.RSAPrivateKey:
    """One of our own making; not proven again to be one, which takes as long as half a search."""
    key = serialization.load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("Entra's signing keys are RSA")
    return key
