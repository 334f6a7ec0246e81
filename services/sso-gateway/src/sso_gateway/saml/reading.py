"""What signed octets say, as values. No judgement: that is `profile.py`.

Reads a re-parse of the octets, never the tree that was verified, so that nothing outside of what was signed can be read.
The grammar held when they were signed, and canonicalization keeps it: children are there, once, in order.
"""

import re
from datetime import UTC, datetime

import msgspec
from lxml import etree

from sso_gateway.saml.errors import malformed
from sso_gateway.saml.gate import SAML, SignedResponse
from sso_gateway.saml.xml import parse_canonical

# Entra writes milliseconds; up to seven digits occur in .NET's own form. Always UTC.
INSTANT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,7})?Z")


class Statement(msgspec.Struct, frozen=True):
    """The Assertion, signed."""

    assertion_id: str
    version: str
    issued_at: datetime
    issuer: str
    name_id: str
    name_id_format: str | None
    confirmation_method: str
    confirmation_not_before: datetime | None
    confirmation_not_on_or_after: datetime | None
    recipient: str | None
    in_response_to: str | None
    not_before: datetime | None
    not_on_or_after: datetime | None
    audiences: tuple[tuple[str, ...], ...]
    """One tuple for each AudienceRestriction; every one of them must hold the reader."""
    claims: dict[str, list[tuple[str, ...]]]
    """Attribute name to the values of each Attribute of that name: more than one is a second claim, not more values."""
    session_index: str | None
    authenticated_at: datetime


def read_statement(signed: SignedResponse) -> Statement:
    root = parse_canonical(signed.assertion_octets)
    assertion = root if root.tag == f"{SAML}Assertion" else _child(root, "Assertion")
    subject, conditions = _child(assertion, "Subject"), _child(assertion, "Conditions")
    name_id, confirmation = subject
    data, authn = confirmation[0], _child(assertion, "AuthnStatement")
    return Statement(
        assertion_id=assertion.get("ID") or "",
        version=assertion.get("Version") or "",
        issued_at=instant(assertion.get("IssueInstant") or "", "IssueInstant"),
        issuer=assertion[0].text or "",
        name_id=name_id.text or "",
        name_id_format=name_id.get("Format"),
        confirmation_method=confirmation.get("Method") or "",
        confirmation_not_before=_instant(data, "NotBefore"),
        confirmation_not_on_or_after=_instant(data, "NotOnOrAfter"),
        recipient=data.get("Recipient"),
        in_response_to=data.get("InResponseTo"),
        not_before=_instant(conditions, "NotBefore"),
        not_on_or_after=_instant(conditions, "NotOnOrAfter"),
        audiences=tuple(
            tuple(audience.text or "" for audience in restriction)
            for restriction in conditions.findall(f"{SAML}AudienceRestriction")
        ),
        claims=_claims(assertion),
        session_index=authn.get("SessionIndex"),
        authenticated_at=instant(authn.get("AuthnInstant") or "", "AuthnInstant"),
    )


def _claims(assertion: etree._Element) -> dict[str, list[tuple[str, ...]]]:
    claims: dict[str, list[tuple[str, ...]]] = {}
    for attribute in assertion.findall(f"{SAML}AttributeStatement/{SAML}Attribute"):
        claims.setdefault(attribute.get("Name") or "", []).append(tuple(value.text or "" for value in attribute))
    return claims


def _child(parent: etree._Element, name: str) -> etree._Element:
    found = parent.find(f"{SAML}{name}")
    assert found is not None, "required by the grammar"  # noqa: S101
    return found


def instant(value: str, name: str) -> datetime:
    """Raises SamlRefusal(malformed_response) unless it is a UTC instant as SAML writes it (Core section 1.3.3)."""
    match = INSTANT.fullmatch(value)
    try:
        if match is None:
            raise ValueError
        # Python keeps six of the seven digits.
        return datetime.fromisoformat(match[1] + (match[2] or "")[:7]).replace(tzinfo=UTC)
    except ValueError:
        raise malformed(f"{name} as a UTC instant", value) from None


def _instant(element: etree._Element, name: str) -> datetime | None:
    value = element.get(name)
    return None if value is None else instant(value, name)
