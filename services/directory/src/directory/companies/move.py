"""The move of a company to another Entra tenant (S65 to S70): prepare, cut over, or give up. Each in an operator's transaction.

    prepare    a second connection stands beside the live one: its token reads and changes nothing, nobody signs in by it
    (between)  HR brings e-mails and login names up to date (`move_emails`)
    cut_over   the prepared connection is the live one; the former tenant's sign-on, tokens and groups are retired; link keys are
               released, so that the new tenant's objects find the same people by login name or e-mail; sessions end
    cancel     the prepared connection is gone, its tokens, secrets and federations are revoked

Nobody is created, merged or deleted by any of it: who is linked to whom is decided when the new tenant names somebody
(`employees.matching`) or somebody signs in (`logins.decision`).
"""

from dataclasses import dataclass
from typing import Any

import asyncpg

from directory.brake.holds import withdraw_all
from directory.companies import move_store, move_writes, store
from directory.companies.description import connection_as_described, described_connection, difference
from directory.companies.ending import refuse_closed
from directory.companies.manifest import Manifest
from directory.companies.operations import IssuedToken, issue, moved
from directory.database import CompanyTx
from directory.events.catalogue import EventKind
from directory.events.store import record
from directory.groups.operations import remove_all
from directory.logins.ending import Why, end_all
from directory.oauth import setting_up
from directory.oauth.store import turn
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, token_text

Settings = dict[str, object]
Changes = dict[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Prepared:
    changes: Changes
    """Against what was prepared before; empty where it was so already."""
    token: IssuedToken | None
    """Only with the first preparation."""


@dataclass(frozen=True, slots=True)
class Moved:
    changes: Changes
    released: int
    """People whose link to the former tenant was released."""
    groups: int
    """Groups of the former tenant, which are gone."""
    sessions: int
    retired_tokens: int
    """Of provisioning: SCIM tokens, secrets of the OAuth client, federations."""


async def prepare(tx: CompanyTx, manifest: Manifest) -> Prepared:
    """`manifest`: the company as it is to be afterwards; the sections entra, sso and provisioning are prepared.

    Raises:
        DomainError: `not_allowed` where it names the tenant that the company is in, or another company.
        asyncpg.UniqueViolationError: `entra_binding_taken`, as with `apply`.
    """
    await store.lock_company(tx)
    live = await store.read_company(tx)
    refuse_closed(tx.company.name, live["ends_at"])
    if manifest.company != tx.company.name:
        raise DomainError(
            ErrorCode.not_allowed,
            f"The file is the manifest of {manifest.company}; wanted is that of {tx.company.name}.",
            field="company",
        )
    if manifest.tenant_id == str(live["tenant_id"]):
        raise DomainError(
            ErrorCode.not_allowed,
            f"entra.tenant_id is the tenant that {tx.company.name} is in already: `directory company apply` changes the rest.",
            field="entra",
        )
    before = await move_store.read_next(tx)
    changes = difference(_settings(before) if before else {}, described_connection(manifest))
    if changes:
        await move_writes.prepare(tx, manifest)
        record(tx, EventKind.move_prepared, changes=changes)
        if "entra.tenant_id" in changes:
            await setting_up.distrust_tenant(tx, "next")
    return Prepared(changes, await issue(tx, None, connection="next") if before is None else None)


async def cancel(tx: CompanyTx) -> None:
    """Raises DomainError `not_found` where nothing is prepared."""
    await store.lock_company(tx)
    before = await _prepared(tx)
    await move_writes.forget_next(tx)
    record(tx, EventKind.move_cancelled, changes=difference(_settings(before), dict.fromkeys(_settings(before))))
    for token_id in await move_writes.revoke_next_tokens(tx):
        record(tx, EventKind.scim_token_revoked, changes={"token_id": {"before": token_text(token_id), "after": None}})
    await setting_up.forget_next(tx)


async def cut_over(tx: CompanyTx, *, anyway: bool = False) -> Moved:
    """`anyway`: although there are people with addresses outside the new connection's e-mail domains.

    Raises:
        DomainError: `not_found` where nothing is prepared; `not_allowed` for such addresses: whoever the new tenant calls
            otherwise would come into being a second time; and for a company that is closed.
    """
    await move_writes.let_nobody_in(tx)
    await store.lock_company(tx)
    before, after = await store.read_company(tx), await _prepared(tx)
    refuse_closed(tx.company.name, before["ends_at"])
    if not anyway:
        await _check_addresses(tx, after)
    old_fingerprints = await _trust_next(tx)
    await move_writes.go_live(tx)
    await move_writes.retire(
        tx, tenant_id=before["tenant_id"], app_id=before["app_id"], live_tenant_id=after["tenant_id"]
    )
    changes = difference(connection_as_described(dict(before), old_fingerprints), _settings(after))
    record(tx, EventKind.company_moved, changes=changes)
    retired = len(await move_writes.turn_tokens(tx)) + await turn(tx)
    await withdraw_all(tx)
    released = await _release_links(tx)
    groups = await remove_all(tx)
    sessions = await end_all(tx, Why.company_moved)
    return Moved(changes, released, groups, sessions, retired)


async def _prepared(tx: CompanyTx) -> asyncpg.Record:
    found = await move_store.read_next(tx)
    if found is None:
        raise DomainError(
            ErrorCode.not_found,
            f"No move is prepared: `directory company move {tx.company.name} --prepare -f FILE` is the first step.",
        )
    return found


def _settings(row: asyncpg.Record) -> Settings:
    return connection_as_described(dict(row), list(row["fingerprints"]))


async def _check_addresses(tx: CompanyTx, after: asyncpg.Record) -> None:
    domains = sorted(after["email_domains"])
    outside = (await move_store.progress(tx, domains))["outside"]
    if outside:
        raise DomainError(
            ErrorCode.not_allowed,
            f"{outside} active people have an e-mail address outside of {', '.join(domains)}. Whoever has another address in the "
            "new tenant than here would be created a second time: bring the addresses up to date first (--emails FILE), or say "
            "--anyway where they stay.",
        )


async def _trust_next(tx: CompanyTx) -> list[str]:
    """The certificates of the prepared connection are trusted, and no others; returns those of before."""
    old = sorted(row["fingerprint"] for row in await store.read_certificates(tx))
    new = {one.fingerprint: one for one in await move_writes.next_certificates(tx)}
    for fingerprint in [one for one in old if one not in new]:
        await store.delete_certificate(tx, fingerprint)
        record(tx, EventKind.certificate_removed, changes=moved(fingerprint, None))
    for fingerprint in sorted(new.keys() - set(old)):
        await store.insert_certificate(tx, new[fingerprint])
        record(tx, EventKind.certificate_added, changes=moved(None, fingerprint))
    return old


async def _release_links(tx: CompanyTx) -> int:
    rows = await move_writes.release_links(tx)
    for row in rows:
        keys = {name: row[name] for name in ("external_id", "entra_object_id") if row[name] is not None}
        changes = {name: {"before": str(key), "after": None} for name, key in keys.items()}
        record(tx, EventKind.employee_unlinked, employee_id=EmployeeId(row["employee_id"]), changes=changes)
    return len(rows)


async def state(tx: CompanyTx) -> dict[str, Any]:
    """Where the move stands, for the one who guides it."""
    after = await move_store.read_next(tx)
    retired = await move_store.read_retired(tx)
    tokens = [{**dict(one), "token_id": token_text(one["token_id"])} for one in await store.read_tokens(tx)]
    progress = await move_store.progress(tx, sorted(after["email_domains"]) if after else [])
    waiting = await move_store.waiting(tx, SHOWN)
    return {
        "state": "prepared" if after else "waiting" if progress["waiting"] else "moved" if retired else "none",
        "prepared": {**_settings(after), "since": after["prepared_at"]} if after else None,
        "retired": [dict(one) for one in retired],
        "people": {name: progress[name] for name in ("people", "linked", "waiting", "outside")},
        "first_waiting": [login_name for _, login_name in waiting],
        "tokens": [one for one in tokens if one["revoked_at"] is None],
        "oauth": {
            kind: [one for one in found if one["revoked_at"] is None]
            for kind, found in (await setting_up.read(tx)).items()
        },
    }


SHOWN = 20
"""So many of those who wait are named."""
