"""The timeline of an attempt, from what is known where it is written down. Pure, and nothing personal is in it.

started    by us (page, app, tile) or by Microsoft
answered   a response came; how long the person was away
verified   which certificate, which format of NameID, what was signed
refused    unread or unproven, by the gateway: reason, wanted, got
matched    to whom, by what, linked now or before
decided    accepted, or the reason
session    opened, or why not
redeemed   an app exchanged its code
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from directory.employees.keys import search_key
from directory.logins.decision import Accepted, Decision, Flow, Person, Refused
from shared.ids import employee_text
from shared.schemas.login import LoginAttempt
from shared.schemas.traces import RefusedAnswer, Step

MatchedBy = Literal["object_id", "login_name", "email", "nobody", "several"]
NOBODY = {"no_such_employee": "nobody", "name_id_pairwise": "nobody", "matches_username_not_email": "several"}


def started(flow: Flow | None, at: datetime, *, unsolicited: bool) -> list[Step]:
    if flow is not None and flow.created_at is not None:
        return [Step(step="started", at=flow.created_at, facts={"by": "us", "from": flow.origin})]
    return [Step(step="started", at=at, facts={"by": "microsoft"})] if unsolicited else []


def of_answer(
    attempt: LoginAttempt, flow: Flow | None, decision: Decision, people: Sequence[Person], now: datetime
) -> list[Step]:
    """What a proven answer adds, from its arrival to the decision."""
    came = attempt.answered_at or now
    away = {"away_s": f"{(came - flow.created_at).total_seconds():.0f}"} if flow and flow.created_at else {}
    signed = {"certificate": attempt.signer_fingerprint, "signed": attempt.signed}
    if attempt.name_id_format:
        signed["name_id_format"] = attempt.name_id_format.rpartition(":")[2][:100]
    steps = [Step(step="answered", at=came, facts=away), Step(step="verified", at=now, facts=signed)]
    is_test = flow is not None and flow.is_test
    if (found := matched(attempt, decision, people, is_test=is_test)) is not None:
        steps.append(Step(step="matched", at=now, facts=found))
    if isinstance(decision, Accepted):
        differs = {"differs": " ".join(decision.differences)} if decision.differences else {}
        accepted = {"outcome": "accepted", "group": decision.group_source, **differs}
        return [*steps, Step(step="decided", at=now, facts=accepted)]
    facts = {"outcome": decision.reason, **{name: text[:200] for name, text in decision.details}}
    return [*steps, Step(step="decided", at=now, facts=facts)]


def matched(
    attempt: LoginAttempt, decision: Decision, people: Sequence[Person], *, is_test: bool = False
) -> dict[str, str] | None:
    """Whom the answer means and by what; None where it did not come so far."""
    if decision.employee_id is None:
        none = NOBODY.get(decision.reason) if isinstance(decision, Refused) else None
        return {"by": none} if none is not None else None
    person = next((one for one in people if one.employee_id == decision.employee_id), None)
    if person is None:
        return None
    found = {"employee": employee_text(decision.employee_id), **by_what(attempt, person)}
    if found["by"] == "object_id":
        return {**found, "linked": "before"}
    linked = isinstance(decision, Accepted) and decision.link and not is_test
    return {**found, "linked": "now" if linked else "not"}


def by_what(attempt: LoginAttempt, person: Person) -> dict[str, str]:
    """By the object id; or by which claim, and which of his names it is."""
    if person.object_id == UUID(attempt.object_id):
        return {"by": "object_id"}
    claims = {"NameID": attempt.name_id, "name": attempt.name_claim, "emailaddress": attempt.email_claim}
    for claim, text in claims.items():
        key = search_key(text) if text else None
        if key is not None and key in (person.email_key, person.login_key):
            return {"by": "email" if key == person.email_key else "login_name", "claim": claim}
    return {"by": "name"}


def of_refusal(answer: RefusedAnswer, flow: Flow | None) -> list[Step]:
    """What an answer adds that the gateway refused."""
    away = {"away_s": f"{(answer.at - flow.created_at).total_seconds():.0f}"} if flow and flow.created_at else {}
    facts = {"reason": answer.reason}
    facts |= {name: text[:200] for name, text in (("wanted", answer.wanted), ("got", answer.got)) if text}
    return [
        Step(step="answered", at=answer.at, facts=away),
        Step(step="refused", at=answer.at, facts=facts),
    ]


def session(opened: bool, reason: str | None, at: datetime) -> Step:
    return Step(step="session", at=at, facts={"outcome": "opened" if opened else reason or "other"})


def encoded(steps: Sequence[Step]) -> str:
    return msgspec.json.encode(steps).decode()
