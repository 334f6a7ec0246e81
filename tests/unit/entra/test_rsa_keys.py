"""Keys made of primes that other keys have too: each must be as good, and as much its own, as one that was searched for."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from tests.entra.rsa_keys import BITS, load, new_key


def test_each_is_its_own_and_whole() -> None:
    keys = [new_key() for _ in range(6)]

    assert len({key.private_numbers().public_numbers.n for key in keys}) == 6
    for key in keys:
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        proven = serialization.load_pem_private_key(pem, None)  # which checks the primes and what was computed of them
        assert load(pem.decode()).private_numbers() == key.private_numbers()
        assert proven.key_size == BITS  # type: ignore[union-attr]


def test_none_vouches_for_what_another_signed() -> None:
    keys = [new_key() for _ in range(6)]

    for signer in keys:
        signature = signer.sign(b"anna", padding.PKCS1v15(), hashes.SHA256())
        signer.public_key().verify(signature, b"anna", padding.PKCS1v15(), hashes.SHA256())
        for other in keys:
            if other is not signer:
                with pytest.raises(InvalidSignature):
                    other.public_key().verify(signature, b"anna", padding.PKCS1v15(), hashes.SHA256())
