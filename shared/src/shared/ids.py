"""Identifiers, and the text form in which they leave the database.

An employee is `emp_` and the 32 hexadecimal digits of a UUIDv7: opaque, stable for ever, never reused, and in the order of
creation, so that lists page stably. Companies have two: the name people chose (`contoso`, in URLs) and the UUID inside.
"""

import os
import re
import time
import uuid
from datetime import UTC, datetime
from typing import NewType

CompanyId = NewType("CompanyId", uuid.UUID)
EmployeeId = NewType("EmployeeId", uuid.UUID)
TokenId = NewType("TokenId", uuid.UUID)
CredentialId = NewType("CredentialId", uuid.UUID)
SecretId = NewType("SecretId", uuid.UUID)
FederationId = NewType("FederationId", uuid.UUID)
GroupId = NewType("GroupId", uuid.UUID)
ExchangeId = NewType("ExchangeId", uuid.UUID)
SessionId = NewType("SessionId", uuid.UUID)

_EMPLOYEE = re.compile(r"emp_([0-9a-f]{32})\Z")
_TOKEN = re.compile(r"tok_([0-9a-f]{32})\Z")
_CREDENTIAL = re.compile(r"app_([0-9a-f]{32})\Z")
_SECRET = re.compile(r"sec_([0-9a-f]{32})\Z")
_FEDERATION = re.compile(r"fed_([0-9a-f]{32})\Z")
_GROUP = re.compile(r"grp_([0-9a-f]{32})\Z")
_EXCHANGE = re.compile(r"xch_([0-9a-f]{32})\Z")
_SESSION = re.compile(r"ses_([0-9a-f]{32})\Z")
_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")


def new_uuid7() -> uuid.UUID:
    """A UUID whose first 48 bits are milliseconds since 1970 (RFC 9562 section 5.7)."""
    return _uuid7(time.time_ns() // 1_000_000)


def uuid7_at(moment: datetime) -> uuid.UUID:
    """One of that moment, by the caller's clock."""
    return _uuid7(int(moment.timestamp() * 1000))


def _uuid7(milliseconds: int) -> uuid.UUID:
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def new_employee_id() -> EmployeeId:
    return EmployeeId(new_uuid7())


def employee_text(employee_id: uuid.UUID) -> str:
    return f"emp_{employee_id.hex}"


def employee_from_text(text: str) -> EmployeeId | None:
    """None for whatever is not an employee's id: an id that cannot exist and one that does not are the same answer."""
    found = _EMPLOYEE.match(text)
    return EmployeeId(uuid.UUID(hex=found[1])) if found else None


def token_text(token_id: uuid.UUID) -> str:
    return f"tok_{token_id.hex}"


def token_from_text(text: str) -> TokenId | None:
    found = _TOKEN.match(text)
    return TokenId(uuid.UUID(hex=found[1])) if found else None


def credential_text(credential_id: uuid.UUID) -> str:
    return f"app_{credential_id.hex}"


def credential_from_text(text: str) -> CredentialId | None:
    found = _CREDENTIAL.match(text)
    return CredentialId(uuid.UUID(hex=found[1])) if found else None


def secret_text(secret_id: uuid.UUID) -> str:
    return f"sec_{secret_id.hex}"


def secret_from_text(text: str) -> SecretId | None:
    found = _SECRET.match(text)
    return SecretId(uuid.UUID(hex=found[1])) if found else None


def federation_text(federation_id: uuid.UUID) -> str:
    return f"fed_{federation_id.hex}"


def federation_from_text(text: str) -> FederationId | None:
    found = _FEDERATION.match(text)
    return FederationId(uuid.UUID(hex=found[1])) if found else None


def new_group_id() -> GroupId:
    return GroupId(new_uuid7())


def group_text(group_id: uuid.UUID) -> str:
    return f"grp_{group_id.hex}"


def group_from_text(text: str) -> GroupId | None:
    """None for whatever is not a group's id, as with employees."""
    found = _GROUP.match(text)
    return GroupId(uuid.UUID(hex=found[1])) if found else None


def exchange_text(exchange_id: uuid.UUID) -> str:
    return f"xch_{exchange_id.hex}"


def exchange_from_text(text: str) -> ExchangeId | None:
    """None for whatever is not an exchange's id, as with employees."""
    found = _EXCHANGE.match(text)
    return ExchangeId(uuid.UUID(hex=found[1])) if found else None


def session_text(session_id: uuid.UUID) -> str:
    """Its name, which is no secret."""
    return f"ses_{session_id.hex}"


def session_from_text(text: str) -> SessionId | None:
    """None for whatever is not a session's id, as with employees."""
    found = _SESSION.match(text)
    return SessionId(uuid.UUID(hex=found[1])) if found else None


def moment_of(uuid7: uuid.UUID) -> datetime:
    """When it was made, to the millisecond."""
    return datetime.fromtimestamp((uuid7.int >> 80) / 1000, UTC)


def earliest_uuid7(moment: datetime) -> uuid.UUID:
    """Below every UUIDv7 that is made at this moment or later."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)


def entra_object_id(text: str | None) -> uuid.UUID | None:
    """The Entra object id in an `externalId`, where it looks like one (decision D1); None otherwise."""
    return uuid.UUID(text) if text is not None and _GUID.match(text) else None
