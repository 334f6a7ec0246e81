"""Who may sign in (D10), his ticket and his sessions."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from tests.support.model.company import Company, Session, Trace
from tests.support.model.groups import is_in_the_company_s
from tests.support.model.people import Person, Refused, Turn, key, object_id

GRACE = timedelta(days=30)


@dataclass(frozen=True)
class Attempt:
    """What Entra says of who is signing in."""

    signer: str
    object_id: UUID
    name_id: str
    email_claim: str | None
    groups: list[str] | None
    overage: bool
    """There were too many groups for a claim."""
    assertion: str
    assertion_over: datetime
    ticket: str
    ticket_ttl: timedelta


def complete(company: Company, turn: Turn, attempt: Attempt) -> tuple[str, Person | None, bool]:
    """Accepted or the reason, who it is, and whether this login linked him."""
    reason, person, link = _decided(company, attempt)
    company.sign_ins += 1
    company.assertions.setdefault(attempt.assertion, attempt.assertion_over)
    trace = Trace(turn.now, reason, person.employee_id if person else None, key(attempt.name_id))
    company.traces.append(trace)
    if reason == "accepted" and person is not None:
        if not company.live_has_signed:
            company.live_has_signed = True
            company.tell(
                turn, "certificate.first_used", None, {"fingerprint": {"before": None, "after": attempt.signer}}
            )
        if link and _guarded(person) and person.text in company.asked_by_sign_in:
            company.findings.pop(("adoption_waits", person.text), None)
        if link:
            after = replace(person, entra_object_id=attempt.object_id, awaits_link_since=None)
            person = company.change(turn, "employee.linked", person, after)
        company.tickets[attempt.ticket] = (person.employee_id, turn.now + attempt.ticket_ttl)
        company.known_as[attempt.ticket] = (attempt.assertion, attempt.name_id)
        company.traced[attempt.ticket] = trace
    _tell(company, turn, attempt, reason, person, first=link)
    return reason, person, link and reason == "accepted"


def _tell(company: Company, turn: Turn, attempt: Attempt, reason: str, person: Person | None, *, first: bool) -> None:
    """S89, A24: what the company hears of its claims. Here the only name claim is NameID, and no NameID is made up by Entra."""
    if reason == "needs_confirmation":
        assert person is not None
        company.raise_finding(turn, "adoption_waits", person.text, person)
        company.asked_by_sign_in.add(person.text)
    seen: set[str] = set()
    if reason == "matches_username_not_email":
        seen = {"names_of_two_people"}
    elif reason == "accepted" and person is not None:
        said, mail, own = key(attempt.name_id), key(attempt.email_claim), key(person.email)
        if mail not in {None, own}:
            seen = {"email_not_mail"}
        elif said != own:
            seen = {"name_id_not_email"}
    for kind in seen:
        before = company.findings.get((kind, "company"))
        if before is None or turn.now - before.last_seen_at >= timedelta(hours=1):
            company.raise_finding(turn, kind, "company", person)
    for kind in {"email_not_mail", "name_id_not_email", "names_of_two_people"} - seen:
        before = company.findings.get((kind, "company"))
        if reason != "accepted" or person is None or before is None:
            continue
        his = before.employee_id == person.employee_id or (before.employee_id is None and first)
        if his or turn.now - before.last_seen_at >= timedelta(days=30):
            del company.findings[kind, "company"]


def _decided(company: Company, attempt: Attempt) -> tuple[str, Person | None, bool]:
    if company.ends_at is not None:
        return "sso_off", None, False
    if attempt.signer != company.live.signer:
        return "unknown_signer", None, False
    if attempt.assertion in company.assertions:
        return "replayed", None, False
    linked = [one for one in company.people if one.entra_object_id == attempt.object_id]
    present = [one for one in linked if one.present]
    if present:
        return _may_enter(company, present[0], attempt), present[0], False
    said = {key(attempt.name_id), key(attempt.email_claim)} - {None}
    named = [one for one in company.present if said & {key(one.login_name), key(one.email)}]
    if not named:
        gone = max(linked, key=lambda one: one.employee_id, default=None)
        return "departed" if gone else "no_such_employee", gone, False
    if len(named) > 1:
        return "matches_username_not_email", None, False
    if named[0].entra_object_id is not None:
        return "no_such_employee", None, False
    reason = _may_enter(company, named[0], attempt)
    if reason == "accepted" and _guarded(named[0]) and key(named[0].login_name) != key(attempt.name_id):
        reason = "needs_confirmation"
    return reason, named[0], True


def _guarded(person: Person) -> bool:
    """A24: an administrator's first login, unless the operator has moved the company to the tenant he comes from."""
    known = person.entra_object_id or person.awaits_link_since or person.adoption_confirmed_at
    return known is None and "setup_admin" in person.roles


def _may_enter(company: Company, person: Person, attempt: Attempt) -> str:
    if not person.has_access:
        return "suspended"
    return _not_in_group(company, person, attempt) or "accepted"


def _not_in_group(company: Company, person: Person, attempt: Attempt) -> str | None:
    """D12: the claim and the group as provisioned can both say that he is in the company's, and one yes is enough."""
    check, (own_id, own_name) = company.settings.group_check, company.settings.group
    if check == "off" or is_in_the_company_s(company, person):
        return None
    if attempt.overage:
        return "groups_overage"
    if attempt.groups is None:
        return "not_in_company_group" if check == "required" else None
    ids = {one for text in attempt.groups if (one := object_id(text)) is not None}
    if ids and own_id is not None:
        return None if own_id in ids else "not_in_company_group"
    names = {key(text) for text in attempt.groups if object_id(text) is None}
    return None if own_name is not None and key(own_name) in names else "not_in_company_group"


def open_session(
    company: Company, turn: Turn, ticket: str, session: str, ttl: timedelta, current: tuple[Company, str] | None
) -> str:
    """`opened` or the reason. One browser, one person (S88)."""
    owner, expires_at = company.tickets.get(ticket, (None, turn.now))
    if owner is None or expires_at <= turn.now:
        if company.tickets.pop(ticket, None) is not None:
            company.traced[ticket].outcome = "expired"
        return "expired"
    person = company.by_id(owner)
    held = current[0].sessions.get(current[1]) if current else None
    if current and held and held.expires_at > turn.now:
        if held.employee_id != owner:
            company.traced[ticket].outcome = "other_person_signed_in"
            return "other_person_signed_in"
        del company.sessions[current[1]]
        company.give_receipt(
            replace(turn, actor=("person", person.text)), "session.ended", person, "signed_in_again", 1
        )
    del company.tickets[ticket]
    company.traced[ticket].outcome = "accepted"
    company.sessions[session] = Session(owner, turn.now, turn.now + ttl)
    company.known_as[session] = company.known_as[ticket]
    company.tell(replace(turn, actor=("person", person.text)), "session.opened", person, {"session": {}})
    return "opened"


def end_session(company: Company, turn: Turn, session: str) -> bool:
    held = company.sessions.pop(session, None)
    if held is None:
        return False
    person = company.by_id(held.employee_id)
    company.give_receipt(replace(turn, actor=("person", person.text)), "session.ended", person, "signed_out", 1)
    return True


def sign_out_at_microsoft(company: Company, turn: Turn, signer: str, assertion: str | None, name_id: str) -> int | None:
    """How many sessions end; None where the signer is not trusted. By the assertion, or by the name where that is new here."""
    if signer != company.live.signer:
        return None
    is_new = assertion is None or assertion not in company.assertions
    if assertion is not None:
        company.assertions.setdefault(assertion, turn.now + timedelta(minutes=15))
    live = [
        (name, one.employee_id, one.signed_in_at) for name, one in company.sessions.items() if one.expires_at > turn.now
    ]
    live += [(name, owner, over) for name, (owner, over) in company.tickets.items() if over > turn.now]
    meant = [one for one in live if assertion is not None and company.known_as[one[0]][0] == assertion]
    if not meant and is_new:
        named = [one for one in live if company.known_as[one[0]][1] == name_id]
        _, last, _ = max(named, key=lambda one: (one[2], one[1]), default=("", None, None))
        meant = [one for one in named if one[1] == last]
    ended = 0
    by_entra = replace(turn, actor=("entra", signer))
    for person in sorted({company.by_id(owner) for _, owner, _ in meant}, key=lambda one: one.employee_id):
        his = [name for name, owner, _ in meant if owner == person.employee_id]
        tickets = sum(company.tickets.pop(name, None) is not None for name in his)
        sessions = sum(company.sessions.pop(name, None) is not None for name in his)
        company.give_receipt(by_entra, "session.signed_out", person, "signed_out_at_idp", sessions, tickets)
        ended += sessions
    return ended


def signed_in(company: Company, turn: Turn, session: str) -> tuple[Person, list[str]]:
    """Whose session it is, and his roles: those given by hand, and Approver by having a report (D9), or having had one until
    not long ago (A17)."""
    held = company.sessions.get(session)
    person = company.by_id(held.employee_id) if held and held.expires_at > turn.now else None
    if person is None or not person.has_access:
        raise Refused("unauthorized")
    reports = any(
        one.manager_id == person.employee_id
        and one is not person
        and (one.termination_date is None or turn.today - one.termination_date < GRACE)
        for one in company.people
    )
    return person, sorted({*person.roles, *(["approver"] if reports else [])})
