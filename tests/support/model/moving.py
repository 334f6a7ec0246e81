"""The move to another Entra tenant (docs/tenant-move.md): prepared, given up, cut over."""

from dataclasses import dataclass, replace
from typing import Any

from tests.support.model import brake
from tests.support.model.company import Company, Connection
from tests.support.model.groups import remove_all
from tests.support.model.people import Refused, Turn, difference, key

Changes = dict[str, Any]


@dataclass
class Moved:
    changes: Changes
    released: int
    """People whose link to the former tenant was released."""
    groups: int
    sessions: int
    retired_tokens: int


def prepare(company: Company, turn: Turn, wanted: Connection, new_token: str | None) -> tuple[Changes, bool]:
    """What differs from what was prepared before, and whether a token was issued, which is so the first time."""
    if company.ends_at is not None or wanted.tenant_id == company.live.tenant_id:
        raise Refused("not_allowed")
    before = company.next
    changes = _difference(_described(company, before), _described(company, wanted))
    if changes:
        company.next = wanted
        company.tell(turn, "move.prepared", None, changes)
    if before is None:
        company.tell(turn, "scim_token.issued", None, {"token_id": {"before": None, "after": new_token}})
    return changes, before is None


def cancel(company: Company, turn: Turn, token: str | None) -> None:
    before = _prepared(company)
    company.next = None
    company.tell(turn, "move.cancelled", None, _difference(_described(company, before), _described(company, None)))
    company.tell(turn, "scim_token.revoked", None, {"token_id": {"before": token, "after": None}})


def cut_over(company: Company, turn: Turn, anyway: bool) -> Moved:
    before, after = company.live, _prepared(company)
    if company.ends_at is not None or (not anyway and _outside(company, after)):
        raise Refused("not_allowed")
    changes = _difference(_described(company, before), _described(company, after))
    company.live, company.next, company.live_has_signed = after, None, False
    # Whoever is back is not one who has left any more.
    company.retired = {name: at for name, at in company.retired.items() if name[0] != after.tenant_id}
    company.retired[before.tenant_id, before.app_id] = turn.now
    company.tell(turn, "certificate.removed", None, {"fingerprint": {"before": before.signer, "after": None}})
    company.tell(turn, "certificate.added", None, {"fingerprint": {"before": None, "after": after.signer}})
    company.tell(turn, "company.moved", None, changes)
    for one in sorted(one for one, held in company.held.items() if held.state != "released"):
        brake.withdraw(company, turn, company.by_id(one))
    released = _release_links(company, turn)
    groups, sessions = remove_all(company, turn), company.end_sessions(turn, company.people, "company_moved")
    return Moved(changes, released, groups, sessions, 1)


def _prepared(company: Company) -> Connection:
    if company.next is None:
        raise Refused("not_found")
    return company.next


def _outside(company: Company, after: Connection) -> bool:
    """Whoever has another address in the new tenant than here would come into being twice."""
    active = [one for one in company.people if one.state == "active"]
    return any((key(one.email) or "").split("@")[-1] not in after.domains for one in active if after.domains)


def _release_links(company: Company, turn: Turn) -> int:
    """Nobody is the former tenant's any more; whoever was Entra's waits for the new one to name him. Of how many."""
    released = 0
    for before in company.present:
        waits = turn.now if before.source == "entra" else None
        after = replace(before, external_id=None, entra_object_id=None, awaits_link_since=waits)
        if told := difference(before, after):
            company.tell(turn, "employee.unlinked", company.put(turn, before, after), told)
            released += 1
        else:
            company.people[company.people.index(before)] = after
    return released


def _difference(before: Changes, after: Changes) -> Changes:
    return {name: {"before": before[name], "after": after[name]} for name in after if before[name] != after[name]}


def _described(company: Company, connection: Connection | None) -> Changes:
    """As the history tells it, under the names of the manifest."""
    group_id, group_name = company.settings.group
    told = {
        "entra.tenant_id": str(connection.tenant_id) if connection else None,
        "entra.app_id": str(connection.app_id) if connection else None,
        "entra.group_id": str(group_id) if group_id else None,
        "entra.group_name": group_name,
        "sso.enabled": True,
        "sso.login_url": "https://login.example",
        "sso.issuer": "https://sts.example",
        "sso.certificates": [connection.signer] if connection else None,
        "sso.signed": "assertion",
        "sso.idp_initiated": "true",
        "sso.group_check": company.settings.group_check,
        "sso.email_domains": list(connection.domains) if connection else None,
        "provisioning.enabled": True,
        "provisioning.strict": False,
    }
    return told if connection else dict.fromkeys(told)
