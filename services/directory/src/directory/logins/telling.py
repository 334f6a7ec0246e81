"""What the company is told of its logins: claims that ought to be changed in Entra, and administrators who must be confirmed.

A finding for each kind of difference, not for each person: one setting mends it for all. A login writes only what is not known
yet: an open finding is seen again once an hour at most, so that a morning's logins of a company never wait for one row. It is
closed by a login without the difference, of the person by whom it was opened; or, where his never comes, of anybody once nobody
has shown it for 30 days.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from directory.database import CompanyTx
from directory.findings.catalogue import FindingKind
from directory.findings.store import close_findings, close_told, raise_finding
from directory.logins.decision import Accepted, Decision, OpenFinding
from directory.logins.names import Difference
from shared.ids import EmployeeId, employee_text

NAME_ID: Final = (
    "Enterprise applications > BitaBIZ > Single sign-on > Attributes & Claims > Unique User Identifier (Name ID) > "
    "Source attribute: user.mail"
)
EMAIL: Final = (
    'Enterprise applications > BitaBIZ > Provisioning > Attribute mapping (users) > emails[type eq "work"].value > '
    "Source attribute: mail"
)
CHANGE: Final = {
    FindingKind.name_id_not_email: NAME_ID,
    FindingKind.email_not_mail: EMAIL,
    FindingKind.name_id_pairwise: NAME_ID,
    FindingKind.names_of_two_people: NAME_ID,
}
"""The very setting in Entra, by the names of its pages."""
SUBJECT: Final = "company"
BY_SIGN_IN: Final = {"by": "sign_in"}
SEEN_AGAIN_AFTER: Final = timedelta(hours=1)
OVER_AFTER: Final = timedelta(days=30)

_BY_DIFFERENCE = {
    Difference.name_id_not_email: FindingKind.name_id_not_email,
    Difference.email_not_mail: FindingKind.email_not_mail,
    Difference.name_id_pairwise: FindingKind.name_id_pairwise,
}
_BY_REFUSAL = {
    "name_id_pairwise": FindingKind.name_id_pairwise,
    "matches_username_not_email": FindingKind.names_of_two_people,
}


async def tell(tx: CompanyTx, decision: Decision, already: tuple[OpenFinding, ...]) -> None:
    """Last in the transaction of the login, so that nothing waits for a finding's row longer than it must."""
    if not isinstance(decision, Accepted):
        if decision.reason == "needs_confirmation" and decision.employee_id is not None:
            await _ask_for_confirmation(tx, decision.employee_id, dict(decision.details))
        await _raise(tx, _BY_REFUSAL.get(decision.reason), None, already)
        return
    if decision.guarded:
        # Whoever asked for his account by a login asks in vain from now on. Provisioning may still wait.
        subject = employee_text(decision.employee_id)
        await close_told(tx, FindingKind.adoption_waits, subject, BY_SIGN_IN)
    shown = {kind for one in decision.differences if (kind := _BY_DIFFERENCE.get(one)) is not None}
    for kind in sorted(shown):
        await _raise(tx, kind, decision.employee_id, already)
    for kind in _over(decision, shown, already, tx.now):
        await close_findings(tx, kind, SUBJECT)


async def _ask_for_confirmation(tx: CompanyTx, employee_id: EmployeeId, details: dict[str, str]) -> None:
    """As provisioning does that wants the account (A24), with the object that signed in."""
    subject = employee_text(employee_id)
    told = {**BY_SIGN_IN, "object_id": details["asks"]}
    await raise_finding(tx, FindingKind.adoption_waits, subject, employee_id=employee_id, details=told)


async def _raise(
    tx: CompanyTx, kind: FindingKind | None, employee_id: EmployeeId | None, already: tuple[OpenFinding, ...]
) -> None:
    known = any(one.kind == kind and tx.now - one.last_seen_at < SEEN_AGAIN_AFTER for one in already)
    if kind is not None and not known:
        await raise_finding(tx, kind, SUBJECT, employee_id=employee_id, details={"change": CHANGE[kind]})


def _over(
    decision: Accepted, shown: set[FindingKind], already: tuple[OpenFinding, ...], now: datetime
) -> Iterator[FindingKind]:
    for one in already:
        his = one.employee_id == decision.employee_id
        # Opened by somebody whom no employee could be found for: a first login that succeeds may be his.
        nobodys = one.employee_id is None and decision.link
        if one.kind not in shown and (his or nobodys or now - one.last_seen_at >= OVER_AFTER):
            yield FindingKind[one.kind]
