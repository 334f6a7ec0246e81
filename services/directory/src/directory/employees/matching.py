"""Which employee a create request means (decision D1). Pure: candidates in, a plan out.

The candidates are the company's employees, not departed, who share the link key, external id, login name or e-mail with the
request. The first found by link key (Entra object id), else login name, else e-mail, is who is meant:

    nobody                                      -> Create
    not from Entra, not linked, active          -> Adopt               S33
    not from Entra, an administrator            -> NeedsConfirmation   A24
    not from Entra, linked by his login         -> Adopt if the request carries the same link key; other: Conflict; none:
                                                   NeedsConfirmation   A24
    suspended, request active                   -> Reactivate          S34, S48
    suspended, both link keys known and differ  -> Conflict            S48: somebody else
    suspended, request inactive too             -> Conflict            nothing to bring back
    active, from Entra                          -> Conflict            RFC 7644 section 3.3: 409 uniqueness
    active, from Entra, released by a move      -> Relink              S66, S67: the new tenant names him
    another person holds one of the other names -> Conflict            never two people merged into one

An external id that is no object id (a mail nickname, say) is no link key: it may be given again to somebody else, so by
itself it never makes two people one, and collides instead. The database has the last word on races (`operations.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from directory.employees.keys import search_key
from directory.employees.record import EmployeeRecord
from shared.errors import DomainError, ErrorCode
from shared.ids import entra_object_id
from shared.schemas.employee import NewEmployee

PRIVILEGED_ROLES = frozenset({"setup_admin", "global_payroll_admin", "local_payroll_admin"})
"""Whoever has one sees or changes more than his own: an address alone must not take his account over (A24)."""


@dataclass(frozen=True, slots=True)
class Create:
    pass


@dataclass(frozen=True, slots=True)
class Adopt:
    employee: EmployeeRecord


@dataclass(frozen=True, slots=True)
class Reactivate:
    employee: EmployeeRecord


@dataclass(frozen=True, slots=True)
class Relink:
    employee: EmployeeRecord


@dataclass(frozen=True, slots=True)
class Conflict:
    code: ErrorCode
    """login_taken, email_taken or external_id_taken: what collides."""


@dataclass(frozen=True, slots=True)
class NeedsConfirmation:
    employee: EmployeeRecord


Plan = Create | Adopt | Reactivate | Relink | Conflict | NeedsConfirmation


def plan(new: NewEmployee, candidates: Sequence[EmployeeRecord]) -> Plan:
    meant = _meant(new, candidates)
    for other in candidates:
        if other is not meant and (code := collision(new, other)) is not None:
            return Conflict(code)
    if meant is None:
        return Create()
    if _is_somebody_else(new, meant):
        return _conflict(new, meant)
    if meant.source != "entra":
        return _plan_for_import(new, meant)
    if _is_away(meant):
        return Reactivate(meant) if new.active else _conflict(new, meant)
    return Relink(meant) if meant.awaits_link_since is not None else _conflict(new, meant)


def is_guarded(record: EmployeeRecord) -> bool:
    """Whether Entra may touch this account only after a Setup admin has said so (A24)."""
    if record.source == "entra" or record.adoption_confirmed_at is not None:
        return False
    return bool(PRIVILEGED_ROLES.intersection(record.roles))


def is_tied(record: EmployeeRecord) -> bool:
    """Whether somebody who is not Entra's yet has signed in as an object of Entra's, and nobody has confirmed another (A24)."""
    unconfirmed = record.source != "entra" and record.adoption_confirmed_at is None
    return unconfirmed and record.entra_object_id is not None


def must_be_confirmed(record: EmployeeRecord, external_id: str | None) -> bool:
    """Whether a change that carries this external id waits for a Setup admin: neither is the account of one of them taken over
    by an address, nor that of somebody who has signed in tied to another object (A24)."""
    return is_guarded(record) or (
        is_tied(record) and entra_object_id(external_id) not in {None, record.entra_object_id}
    )


def _is_away(record: EmployeeRecord) -> bool:
    """Whoever waits for HR's choice after his return is back, as Entra sees it."""
    return record.state == "suspended" and record.rehire_asked_at is None


def collision(new: NewEmployee, other: EmployeeRecord) -> ErrorCode | None:
    """What both want and only one may have: the most telling name first."""
    if other.login_key == search_key(new.login_name):
        return ErrorCode.login_taken
    if other.email_key == search_key(new.email):
        return ErrorCode.email_taken
    link_key = entra_object_id(new.external_id)
    if (new.external_id is not None and other.external_id == new.external_id) or (
        link_key is not None and other.entra_object_id == link_key
    ):
        return ErrorCode.external_id_taken
    return None


def refusal(code: ErrorCode, values: "NewEmployee | EmployeeRecord") -> DomainError:
    """The sentence for a name that another employee of the company holds; it says nothing about him."""
    field, value = {
        ErrorCode.login_taken: ("login_name", values.login_name),
        ErrorCode.email_taken: ("email", values.email),
        ErrorCode.external_id_taken: ("external_id", values.external_id),
    }[code]
    return DomainError(code, f"{field} '{value}' belongs to another employee of the company.", field=field)


def _meant(new: NewEmployee, candidates: Sequence[EmployeeRecord]) -> EmployeeRecord | None:
    link_key, login_key, email_key = entra_object_id(new.external_id), search_key(new.login_name), search_key(new.email)
    by_link = [one for one in candidates if link_key is not None and one.entra_object_id == link_key]
    by_login = [one for one in candidates if one.login_key == login_key]
    by_email = [one for one in candidates if one.email_key == email_key]
    return next(iter([*by_link, *by_login, *by_email]), None)


def _is_somebody_else(new: NewEmployee, meant: EmployeeRecord) -> bool:
    link_key = entra_object_id(new.external_id)
    return link_key is not None and meant.entra_object_id is not None and meant.entra_object_id != link_key


def _plan_for_import(new: NewEmployee, meant: EmployeeRecord) -> Plan:
    proven = meant.entra_object_id is not None and entra_object_id(new.external_id) == meant.entra_object_id
    linked_unproven = meant.entra_object_id is not None and not proven
    if is_guarded(meant) or (linked_unproven and meant.adoption_confirmed_at is None):
        return NeedsConfirmation(meant)
    if meant.state == "suspended":
        return Reactivate(meant) if _is_away(meant) and new.active else _conflict(new, meant)
    return Adopt(meant)


def _conflict(new: NewEmployee, meant: EmployeeRecord) -> Conflict:
    return Conflict(collision(new, meant) or ErrorCode.login_taken)
