"""The speakable id of a login attempt: eight characters that can be read over a telephone, `K7QM-3F9D`.

Crockford's base32 (no I, L, O, U), forty bits by chance, no secret: it opens nothing, it only names. A login that we begin has
the id that follows from its flow, so that whoever answers it, and whoever refuses the answer unread, says the same one without
asking anybody. A collision within a company is noticed where it is written down.
"""

import hashlib
import os
import re

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": "", " ": ""})
_SPOKEN = re.compile(f"[{_ALPHABET}]{{8}}")
_FLOW = re.compile(r"_[0-9a-f]{32}")
TEST_MARK = "test."


def new_attempt_id() -> str:
    return _text(os.urandom(5))


def attempt_of_flow(flow_id: str) -> str:
    """A hash of it, so that the id tells nobody the flow."""
    return _text(hashlib.sha256(flow_id.encode()).digest()[:5])


def attempt_from_text(text: str) -> str | None:
    """As it is written down, from whatever somebody typed: any case, with or without the dash, O for 0, I and L for 1.

    None for what cannot be one.
    """
    typed = text.strip().upper().translate(_LOOK_ALIKES)
    return f"{typed[:4]}-{typed[4:]}" if _SPOKEN.fullmatch(typed) else None


def relay_state(flow_id: str, *, test: bool) -> str:
    """What travels to Entra and back beside a login that we begin. It decides nothing: nobody has signed it."""
    return TEST_MARK + flow_id if test else flow_id


def unproven_flow(relay_state: str | None) -> tuple[str | None, bool]:
    """Which flow a RelayState names, and whether it calls it a test. Good for what is shown and noted, for nothing else."""
    text = relay_state or ""
    flow_id = text.removeprefix(TEST_MARK)
    return (flow_id, flow_id != text) if _FLOW.fullmatch(flow_id) else (None, False)


def _text(forty_bits: bytes) -> str:
    number = int.from_bytes(forty_bits, "big")
    letters = "".join(_ALPHABET[number >> shift & 31] for shift in range(35, -5, -5))
    return f"{letters[:4]}-{letters[4:]}"
