"""A company's settings as flat fields under the dotted names of its manifest, as wanted and as stored; what differs. Pure."""

from collections.abc import Mapping
from typing import Any

from directory.companies.manifest import Manifest


def described(manifest: Manifest) -> dict[str, object]:
    """The manifest as flat fields under their dotted names; certificates by fingerprint."""
    return {
        "name": manifest.name,
        "time_zone": manifest.time_zone,
        "language": manifest.language,
        **described_connection(manifest),
        "sso.metadata": manifest.sso.metadata,
        "sso.traces_days": manifest.sso.traces_days,
        "sso.session_hours": manifest.sso.session_hours,
        "sso.idle_minutes": manifest.sso.idle_minutes,
        "provisioning.journal_days": manifest.journal_days,
        "approvers.follow_entra_managers": manifest.follow_entra_managers,
        "rehire.ask_after_days": manifest.rehire_ask_after_days,
        "brake.people": manifest.brake_people,
        "brake.percent": manifest.brake_percent,
        "retention.erase_after_months": manifest.erase_after_months,
    }


def described_connection(manifest: Manifest) -> dict[str, object]:
    """Of these, what belongs to the connection with Entra."""
    sso = manifest.sso
    return {
        "entra.tenant_id": manifest.tenant_id,
        "entra.app_id": manifest.app_id,
        "entra.group_id": manifest.group_id,
        "entra.group_name": manifest.group_name,
        "sso.enabled": sso.enabled,
        "sso.login_url": sso.login_url,
        "sso.issuer": sso.issuer,
        "sso.certificates": sorted(certificate.fingerprint for certificate in sso.certificates),
        "sso.signed": sso.signed,
        "sso.idp_initiated": sso.idp_initiated,
        "sso.group_check": sso.group_check,
        "sso.email_domains": sorted(sso.email_domains),
        "provisioning.enabled": manifest.provisioning_enabled,
        "provisioning.strict": manifest.provisioning_strict,
    }


def as_described(row: Mapping[str, Any], fingerprints: list[str]) -> dict[str, object]:
    """A stored company under the same names."""
    return {
        "name": row["name"],
        "time_zone": row["time_zone"],
        "language": row["language"],
        **connection_as_described(row, fingerprints),
        "sso.metadata": row["metadata_use"],
        "sso.traces_days": row["traces_days"],
        "sso.session_hours": row["session_hours"],
        "sso.idle_minutes": row["idle_minutes"],
        "provisioning.journal_days": row["journal_days"],
        "approvers.follow_entra_managers": row["follow_entra_managers"],
        "rehire.ask_after_days": row["rehire_ask_after_days"],
        "brake.people": row["brake_people"],
        "brake.percent": row["brake_percent"],
        "retention.erase_after_months": row["erase_after_months"],
    }


def connection_as_described(row: Mapping[str, Any], fingerprints: list[str]) -> dict[str, object]:
    """A stored connection, live or prepared."""
    return {
        "entra.tenant_id": str(row["tenant_id"]),
        "entra.app_id": str(row["app_id"]),
        "entra.group_id": str(row["group_id"]) if row["group_id"] else None,
        "entra.group_name": row["group_name"],
        "sso.enabled": row["sso_enabled"],
        "sso.login_url": row["login_url"],
        "sso.issuer": row["issuer"],
        "sso.certificates": fingerprints,
        "sso.signed": row["signed"],
        "sso.idp_initiated": row["idp_initiated"],
        "sso.group_check": row["group_check"],
        "sso.email_domains": sorted(row["email_domains"]),
        "provisioning.enabled": row["provisioning_enabled"],
        "provisioning.strict": row["provisioning_strict"],
    }


def difference(before: dict[str, object], after: dict[str, object]) -> dict[str, dict[str, object]]:
    return {
        field: {"before": before.get(field), "after": value}
        for field, value in after.items()
        if before.get(field) != value
    }
