"""Why a SAML response is refused.

A refusal carries what was wanted and what was got, short and safe to show: an issuer, an audience, an address, an algorithm, an
instant, the name of an element, a count. Never the document, a claim about a person or a name.
"""

from enum import StrEnum

MAX_SHOWN = 160


class Reason(StrEnum):
    """Refusal reasons that the document itself can give. The whole list, with directory's, is a contract with operators."""

    malformed_response = "malformed_response"
    not_signed = "not_signed"
    bad_signature = "bad_signature"
    unknown_signer = "unknown_signer"
    weak_algorithm = "weak_algorithm"
    wrong_audience = "wrong_audience"
    wrong_recipient = "wrong_recipient"
    wrong_destination = "wrong_destination"
    wrong_issuer = "wrong_issuer"
    wrong_tenant = "wrong_tenant"
    expired = "expired"
    not_yet_valid = "not_yet_valid"
    unknown_request = "unknown_request"
    idp_refused = "idp_refused"


class SamlRefusal(Exception):
    """The response signs nobody in. `wanted` and `got` are for the company's administrator."""

    def __init__(self, reason: Reason, wanted: str, got: str | None, *, status: int = 403) -> None:
        self.reason = reason
        self.status = status
        self.wanted = wanted
        self.got = shown(got or "nothing")
        super().__init__(f"{reason}: wanted {wanted}, got {self.got}")


def malformed(wanted: str, got: str | None, *, status: int = 403) -> SamlRefusal:
    return SamlRefusal(Reason.malformed_response, wanted, got, status=status)


def shown(value: str) -> str:
    """A value out of an unproven document, made harmless for a page or a log: one line, printable, short."""
    printable = "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in value[: MAX_SHOWN + 1]
    )
    return printable if len(printable) <= MAX_SHOWN else printable[: MAX_SHOWN - 1] + "…"
