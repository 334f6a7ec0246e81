"""Signing certificates, in SQL: what is trusted, and whether another company trusts the same."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from directory.database import CompanyTx, statement
from shared.schemas.login import MetadataUse

_TRUSTED = statement(
    "certificates.trusted",
    """
    select fingerprint, der, subject, not_before, not_after, added_at, last_signed_at
    from certificates
    where company_id = $1
    order by not_after desc, fingerprint
    """,
)

_OF_OTHERS = statement("registry.certificates_of_others", "select * from registry.certificates_of_others($1, $2)")

# Everything that a document is compared with, for most of them say nothing new.
_AS_LOOKED_AT = statement(
    "companies.as_looked_at",
    """
    select c.metadata_use, n.issuer, c.removed_certificates, look.failure is not null as is_failing,
        array(select fingerprint from certificates where company_id = $1) as trusted,
        array(
            select subject from findings where company_id = $1 and kind = 'certificate_offered' and closed_at is null
        ) as offered
    from companies c
    join connections n on n.company_id = c.company_id
    left join registry.metadata_look() look on true
    where c.company_id = $1
    """,
)

_LOOKS = statement(
    "companies.metadata_looks",
    """
    select c.metadata_use as use, look.looked_at, look.due_at, look.failing_since, look.failure
    from companies c
    left join registry.metadata_look() look on true
    where c.company_id = $1
    """,
)

_NOTE_LOOK = statement("registry.note_metadata_look", "select registry.note_metadata_look($1, $2)")

_SIGN_ON = statement("connections.sign_on", "select issuer, sso_enabled from connections where company_id = $1")

_COMPROMISED = statement(
    "companies.note_compromised",
    "update companies set compromised_certificates = array_append(compromised_certificates, $2) where company_id = $1",
)

# In use is what signed last; as in findings.store.
_TELL_EXPIRY = statement(
    "certificates.tell_expiry",
    """
    with used as (
        select c.fingerprint, c.not_after
        from certificates c
        join connections s on s.company_id = c.company_id
        where c.company_id = $1 and s.sso_enabled
        order by c.last_signed_at desc nulls last, c.not_after desc
        limit 1
    ), due as (
        select fingerprint, not_after,
            (
                select min(days) from unnest($3::integer[]) as days
                where not_after < $2::timestamptz + make_interval(days => days)
            ) as days
        from used
    )
    update certificates c
    set told_days = due.days
    from due
    where c.company_id = $1 and c.fingerprint = due.fingerprint and due.days is not null
        and (c.told_days is null or c.told_days > due.days)
    returning c.fingerprint, c.not_after, c.told_days
    """,
)


async def trusted(tx: CompanyTx) -> list[asyncpg.Record]:
    """The one that is valid longest first."""
    return await tx.fetch(_TRUSTED, tx.company_id)


async def of_others(tx: CompanyTx, fingerprints: Sequence[str]) -> list[str]:
    """Which of them another company trusts; not which company."""
    return [row[0] for row in await tx.fetch(_OF_OTHERS, list(fingerprints), tx.company_id)]


async def sign_on(tx: CompanyTx) -> tuple[str, bool]:
    """The configured issuer, and whether sign-on is switched on."""
    row = await tx.fetchrow(_SIGN_ON, tx.company_id)
    assert row is not None  # noqa: S101  every company has a connection
    return row["issuer"], row["sso_enabled"]


@dataclass(frozen=True, slots=True)
class AsLookedAt:
    """What the company's federation metadata is compared with."""

    metadata_use: MetadataUse
    issuer: str
    trusted: frozenset[str]
    removed: frozenset[str]
    """Compromised ones too."""
    offered: frozenset[str]
    """Told to the company, and still to be decided by it."""
    is_failing: bool
    """The look before could not read it."""


async def as_looked_at(tx: CompanyTx) -> AsLookedAt:
    row = await tx.fetchrow(_AS_LOOKED_AT, tx.company_id)
    assert row is not None  # noqa: S101  every company has a connection
    return AsLookedAt(
        metadata_use=row["metadata_use"],
        issuer=row["issuer"],
        trusted=frozenset(row["trusted"]),
        removed=frozenset(row["removed_certificates"]),
        offered=frozenset(row["offered"]),
        is_failing=row["is_failing"],
    )


async def looks(tx: CompanyTx) -> asyncpg.Record:
    """How the looks at its metadata go."""
    row = await tx.fetchrow(_LOOKS, tx.company_id)
    assert row is not None  # noqa: S101  the scope was entered, so there is one
    return row


async def note_look(tx: CompanyTx, failure: str | None) -> bool:
    """Whether that is something new; what is not writes nothing."""
    is_new: bool = await tx.fetchval(_NOTE_LOOK, tx.now, failure)
    return is_new


async def note_compromised(tx: CompanyTx, fingerprint: str) -> None:
    await tx.execute(_COMPROMISED, tx.company_id, fingerprint)


async def tell_expiry(tx: CompanyTx, steps: Sequence[int]) -> asyncpg.Record | None:
    """The certificate in use, if its end has come nearer than one of the `steps` (days) since the company was told last."""
    return await tx.fetchrow(_TELL_EXPIRY, tx.company_id, tx.now, steps)
