"""The certificates that a company's sign-on is verified by: several side by side, so that none has to be exchanged at a moment.

    added    -> trusted at once, and `staged` until it signs          BitaBIZ first: pasted before it is active in Entra
    signs    -> `in_use`; the one before it is `retiring`              Entra first: pasted as soon as the new one has signed
    removed  -> refused from the next login on, and not taken from Entra's metadata again;
                as compromised, all sessions of the company end, and it is never trusted again

A Setup admin and an operator do the same. Source: S60 to S64; Entra, "Manage certificates for federated single sign-on".
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.routing import Route

from directory.access import setup
from directory.companies import signing_store
from directory.companies.certificates import Certificate, CertificateRefused, read_certificates
from directory.companies.federation_metadata import is_metadata
from directory.companies.store import delete_certificate, insert_certificate, lock_company
from directory.database import CompanyTx, Database
from directory.events.catalogue import EventKind
from directory.events.store import record
from directory.findings.catalogue import FindingKind
from directory.findings.store import close_findings, raise_finding, take_finding
from directory.logins.ending import Why, end_all
from directory.rpc import serve
from shared import operations as declared
from shared.errors import DomainError, ErrorCode
from shared.http.service_auth import CallerSecrets
from shared.schemas import signing as schema
from shared.schemas.metadata import MetadataLooks
from shared.telemetry.logs import EventLog

log = EventLog("directory")

_ORDER: dict[schema.SigningState, int] = {"in_use": 0, "staged": 1, "retiring": 2}
MAX_TRUSTED = 20
"""Entra keeps a handful; each is tried with a login whose signer is not known."""
WARNED_DAYS = (0, 1, 7, 14, 30, 60)
"""So many days before its end the company is told of the certificate in use, and operators by the metrics; 0: it has ended."""


def certificates_of(rows: Sequence[Mapping[str, Any]]) -> list[schema.SigningCertificate]:
    """With what each of them is doing. Pure."""
    last = max((row["last_signed_at"] for row in rows if row["last_signed_at"]), default=None)
    found = [
        schema.SigningCertificate(
            fingerprint=row["fingerprint"],
            thumbprint=hashlib.sha1(row["der"]).hexdigest().upper(),  # noqa: S324  what Entra's portal shows
            subject=row["subject"],
            not_before=row["not_before"],
            not_after=row["not_after"],
            added_at=row["added_at"],
            last_signed_at=row["last_signed_at"],
            state="staged" if not (at := row["last_signed_at"]) else "in_use" if at == last else "retiring",
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: _ORDER[one.state])


async def read(tx: CompanyTx) -> list[schema.SigningCertificate]:
    return certificates_of([dict(row) for row in await signing_store.trusted(tx)])


async def add(tx: CompanyTx, pasted: str | bytes) -> list[str]:
    """Fingerprints of those that are new.

    Raises:
        DomainError: `invalid_value` for what cannot be trusted, with the reason and what to paste instead.
    """
    await lock_company(tx)
    issuer, _ = await signing_store.sign_on(tx)
    try:
        wanted = read_certificates(pasted, tx.now, issuer=issuer or None)
        known = {row["fingerprint"] for row in await signing_store.trusted(tx)}
        new = [one for one in wanted if one.fingerprint not in known]
        await refuse_others(tx, new)
        if len(known) + len(new) > MAX_TRUSTED:
            raise CertificateRefused(f"{MAX_TRUSTED} are trusted at most, and there are {len(known)}: remove old ones")
    except CertificateRefused as refused:
        raise DomainError(ErrorCode.invalid_value, f"certificate: {refused}", field="certificate") from None
    await _trust(tx, new)
    log.info("certificates_added", certificates=len(new))
    return [one.fingerprint for one in new]


async def offered(tx: CompanyTx, metadata: str) -> tuple[int, int]:
    """What the company's federation metadata says now: how many are trusted by it, and how many are told to the company.

    A document that says nothing new writes nothing, and holds nothing up.

    Raises:
        DomainError: `invalid_value` for what is not the company's metadata, `not_allowed` where it is not looked for.
    """
    standing = await _as_looked_at(tx)
    try:
        if not is_metadata(metadata):
            # Pasted, a certificate by itself is vouched for by whoever pastes it; here the document must name its issuer.
            raise CertificateRefused("it is no federation metadata: XML with an EntityDescriptor is wanted")
        named = read_certificates(metadata, tx.now, issuer=standing.issuer or None)
        new, gone = _compared(standing, named)
        if new or gone:
            await lock_company(tx)
            standing = await _as_looked_at(tx)
            new, gone = _compared(standing, named)
            await refuse_others(tx, new)
    except CertificateRefused as refused:
        raise DomainError(ErrorCode.invalid_value, f"metadata: {refused}", field="metadata") from None
    if standing.is_failing:
        await signing_store.note_look(tx, None)
    if gone:
        await close_findings(tx, FindingKind.certificate_offered, *gone)
    if standing.metadata_use == "adopt":
        new = new[: max(0, MAX_TRUSTED - len(standing.trusted))]
        await _trust(tx, new)
        return len(new), 0
    for one in new:
        details = {"certificate": base64.b64encode(one.der).decode(), "not_after": one.not_after.isoformat()}
        await raise_finding(tx, FindingKind.certificate_offered, one.fingerprint, details=details)
    return 0, len(new)


async def _as_looked_at(tx: CompanyTx) -> signing_store.AsLookedAt:
    standing = await signing_store.as_looked_at(tx)
    if standing.metadata_use == "off":
        raise DomainError(ErrorCode.not_allowed, "The company does not take certificates from metadata.")
    return standing


def _compared(
    standing: signing_store.AsLookedAt, named: Sequence[Certificate]
) -> tuple[list[Certificate], frozenset[str]]:
    """What the company is to learn of, and what it was offered that is named no more. Pure."""
    # Entra goes on naming what was removed here until it is deleted there.
    settled = standing.trusted | standing.removed
    if standing.metadata_use == "propose":
        settled |= standing.offered
    new = [one for one in named if one.fingerprint not in settled]
    return new, standing.offered - {one.fingerprint for one in named}


async def _trust(tx: CompanyTx, new: Sequence[Certificate]) -> None:
    for one in new:
        await insert_certificate(tx, one)
        record(tx, EventKind.certificate_added, changes={"fingerprint": {"before": None, "after": one.fingerprint}})
    await close_findings(tx, FindingKind.certificate_offered, *(one.fingerprint for one in new))


async def accept(tx: CompanyTx, fingerprint: str) -> list[str]:
    """Trust what Entra's metadata offered. Raises DomainError `not_found`, and as `add` does."""
    offer = await take_finding(tx, FindingKind.certificate_offered, fingerprint)
    if offer is None:
        raise DomainError(
            ErrorCode.not_found, f"No certificate {fingerprint[:70]!r} is offered; `findings` has its whole SHA-256."
        )
    return await add(tx, str(offer["certificate"]))


async def tell_expiry(tx: CompanyTx) -> None:
    """An event at each of `WARNED_DAYS` before the certificate in use ends, once; for `directory sweep`.

    The finding `certificate_expires` stands all the while; the event is for whoever writes to the company.
    """
    ending = await signing_store.tell_expiry(tx, WARNED_DAYS)
    if ending is None:
        return
    told = {"fingerprint": ending["fingerprint"], "not_after": ending["not_after"], "within_days": ending["told_days"]}
    record(
        tx,
        EventKind.certificate_expires,
        changes={name: {"before": None, "after": value} for name, value in told.items()},
    )
    log.info("certificate_expiry_told", within_days=ending["told_days"])


async def metadata_looks(tx: CompanyTx) -> MetadataLooks:
    """How the looks at the company's federation metadata go."""
    return MetadataLooks(**await signing_store.looks(tx))


async def refuse_others(tx: CompanyTx, certificates: Sequence[Certificate]) -> None:
    """Raises CertificateRefused where one of them is another company's: each Entra app signs with its own."""
    if others := await signing_store.of_others(tx, [one.fingerprint for one in certificates]):
        raise CertificateRefused(
            f"certificate {others[0][:16]}… is of the Entra app of another company: every company has an app, and so a "
            "certificate, of its own. Download the one of this company's app"
        )


async def remove(tx: CompanyTx, fingerprint: str, *, compromised: bool = False) -> int:
    """It is refused from the next login on. How many sessions ended with it.

    Raises:
        DomainError: `not_found`; `not_allowed` for the last one while sign-on is on, unless it is compromised.
    """
    await lock_company(tx)
    known = [row["fingerprint"] for row in await signing_store.trusted(tx)]
    meant = [one for one in known if fingerprint and one.startswith(fingerprint.lower())]
    if len(meant) != 1 or len(fingerprint) < 16:
        raise DomainError(
            ErrorCode.not_found,
            f"No certificate {fingerprint[:70]!r} is trusted; name it by its SHA-256, or the first 16 digits of it.",
            field="fingerprint",
        )
    if len(known) == 1 and not compromised and (await signing_store.sign_on(tx))[1]:
        raise DomainError(
            ErrorCode.not_allowed,
            "It is the only one, and nobody could sign in any more: add the next one first, or switch sign-on off.",
        )
    await delete_certificate(tx, meant[0])
    changes: dict[str, dict[str, object]] = {"fingerprint": {"before": meant[0], "after": None}}
    if compromised:
        await signing_store.note_compromised(tx, meant[0])
        changes["compromised"] = {"before": None, "after": True}
    record(tx, EventKind.certificate_removed, changes=changes)
    ended = await end_all(tx, Why.certificate_compromised) if compromised else 0
    log.info("certificate_removed", compromised=compromised, sessions=ended)
    return ended


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    """What a Setup admin does; only he may (S62)."""

    async def list_certificates(request: schema.ListCertificates) -> schema.CertificateList:
        async with setup(database, request.session, reading=True) as tx:
            return schema.CertificateList(certificates=await read(tx), metadata=await metadata_looks(tx))

    async def add_certificates(request: schema.AddCertificates) -> schema.CertificatesAdded:
        async with setup(database, request.session) as tx:
            return schema.CertificatesAdded(added=await add(tx, request.pasted), certificates=await read(tx))

    async def remove_certificate(request: schema.RemoveCertificate) -> schema.CertificateRemoved:
        async with setup(database, request.session) as tx:
            ended = await remove(tx, request.fingerprint, compromised=request.compromised)
            return schema.CertificateRemoved(sessions_ended=ended, certificates=await read(tx))

    return [
        serve(declared.LIST_CERTIFICATES, callers, list_certificates),
        serve(declared.ADD_CERTIFICATES, callers, add_certificates),
        serve(declared.REMOVE_CERTIFICATE, callers, remove_certificate),
    ]
