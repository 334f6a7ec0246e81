"""The company manifest: YAML or JSON in, a checked `Manifest` out, or every problem at once. Pure.

Each problem names the field, what was wanted, what came and, where the value is Entra's, where to find it there. Secrets
never stand in a manifest, and unknown keys are refused by name.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import yaml

from directory.companies.certificates import Certificate, CertificateRefused, read_certificates
from directory.companies.domains import domain_key
from directory.companies.federation_metadata import MAX_BYTES as MAX_METADATA_BYTES
from directory.companies.fields import Fields, ManifestRefused, Problem

MAX_BYTES = 256 * 1024
MAX_DEPTH = 12
COMPANY = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]\Z")
RESERVED = frozenset({"finish"})
"""Names that stand for something else where a company's name stands in an address: /login/finish."""
MIN_IDLE_MINUTES = 5
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sso:
    enabled: bool
    login_url: str
    issuer: str
    certificates: tuple[Certificate, ...]
    signed: str
    idp_initiated: str
    group_check: str
    email_domains: tuple[str, ...]
    metadata: str
    """What becomes of a new certificate in the app's federation metadata: off, propose, adopt."""
    traces_days: int = 30
    """So long an attempt to sign in is kept."""
    session_hours: int = 335
    """After so long a session ends, however busy."""
    idle_minutes: int = 0
    """A session that was not used for so long has ended; 0: it may rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A company as its manifest describes it; everything in it has been checked."""

    company: str
    name: str
    time_zone: str
    language: str
    tenant_id: str
    app_id: str
    group_id: str | None
    group_name: str | None
    sso: Sso
    provisioning_enabled: bool
    provisioning_strict: bool
    journal_days: int
    """So long every exchange of provisioning is kept in the journal."""
    follow_entra_managers: bool
    rehire_ask_after_days: int | None
    """Whoever was inactive longer comes back only when HR has chosen how (A11); None: nobody is asked."""
    brake_people: int
    """Deactivations within an hour beyond which, and beyond `brake_percent` of the active, more are held; 0 is off."""
    brake_percent: int
    erase_after_months: int | None
    """After the termination date; None: never."""


def read_manifest(text: str | bytes, now: datetime) -> Manifest:
    """Raises ManifestRefused with everything that is wrong."""
    data = _parsed(text)
    problems: list[Problem] = []
    fields = Fields(data, "", problems)
    manifest = _manifest(fields, now)
    fields.finish()
    if problems:
        raise ManifestRefused(problems)
    return manifest


def _manifest(fields: Fields, now: datetime) -> Manifest:
    entra = fields.section("entra", required=True)
    tenant_id = entra.uuid("tenant_id", "Entra: Overview, Tenant ID") or ""
    app_id = entra.uuid("app_id", "Entra: Enterprise app, Overview, Application ID") or ""
    group_id = entra.uuid("group_id", "Entra: Groups, the company's group, Object ID", required=False)
    group_name = entra.text("group_name", required=False, longest=256)
    sso = _sso(fields.section("sso"), tenant_id, bool(group_id or group_name), now)
    provisioning = fields.section("provisioning")
    approvers, rehire = fields.section("approvers"), fields.section("rehire")
    brake, retention = fields.section("brake"), fields.section("retention")
    manifest = Manifest(
        company=_company(fields),
        name=fields.text("name", longest=200) or "",
        time_zone=_time_zone(fields),
        language=fields.choice("language", ("da", "en"), default="da"),
        tenant_id=tenant_id,
        app_id=app_id,
        group_id=group_id,
        group_name=group_name,
        sso=sso,
        provisioning_enabled=provisioning.flag("enabled", default=False),
        provisioning_strict=provisioning.flag("strict", default=False),
        journal_days=provisioning.number("journal_days", 1, 400, "days", default=30),
        follow_entra_managers=approvers.flag("follow_entra_managers", default=True),
        rehire_ask_after_days=rehire.number("ask_after_days", 0, 36_500, "days"),
        brake_people=brake.number("people", 0, 1_000_000, "people", default=30),
        brake_percent=brake.number("percent", 0, 100, "percent", default=30),
        erase_after_months=retention.number("erase_after_months", 1, 1200, "months"),
    )
    for section in (entra, provisioning, approvers, rehire, brake, retention):
        section.finish()
    return manifest


def _company(fields: Fields) -> str:
    company = fields.text("company", longest=63) or ""
    if company and not COMPANY.match(company):
        fields.refuse(
            "company",
            "3 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
            company,
        )
    if company in RESERVED:
        fields.refuse("company", "a name that is not an address of ours", company)
    return company


def _time_zone(fields: Fields) -> str:
    name = fields.text("time_zone", required=False, longest=64) or "Europe/Copenhagen"
    if name not in available_timezones():
        fields.refuse("time_zone", "a name of the time zone database such as Europe/Copenhagen", name)
    return name


def _sso(fields: Fields, tenant_id: str, has_group: bool, now: datetime) -> Sso:
    enabled = fields.flag("enabled", default=False)
    issuer = _issuer(fields, tenant_id, required=enabled)
    sso = Sso(
        enabled=enabled,
        login_url=_login_url(fields, required=enabled),
        issuer=issuer,
        certificates=tuple(_certificates(fields, now, issuer, required=enabled)),
        signed=fields.choice("signed", ("assertion", "response", "both"), default="assertion"),
        idp_initiated=fields.choice("idp_initiated", ("true", "false", "bounce"), default="true", booleans=True),
        group_check=fields.choice("group_check", ("off", "when_sent", "required"), default="when_sent", booleans=True),
        email_domains=tuple(_email_domains(fields)),
        metadata=fields.choice("metadata", ("off", "propose", "adopt"), default="propose", booleans=True),
        traces_days=fields.number("traces_days", 1, 400, "days", default=30),
        session_hours=fields.number("session_hours", 1, 335, "hours", default=335),
        idle_minutes=fields.number("idle_minutes", 0, 20_100, "minutes", default=0),
    )
    if 0 < sso.idle_minutes < MIN_IDLE_MINUTES:
        fields.refuse("idle_minutes", f"0 for no limit, or at least {MIN_IDLE_MINUTES} minutes", sso.idle_minutes)
    if sso.group_check == "required" and not has_group:
        fields.refuse(
            "group_check", "entra.group_id or entra.group_name beside it, to know which group is required", "required"
        )
    fields.finish()
    return sso


def _login_url(fields: Fields, *, required: bool) -> str:
    url = fields.text("login_url", required=required, longest=2048) or ""
    if url and not _is_web_address(url):
        wanted = "the https address that Entra shows as 'Login URL' (Enterprise app, Single sign-on, Set up)"
        fields.refuse("login_url", wanted, url)
    return url


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    if not url.isascii() or any(letter.isspace() for letter in url) or parts.fragment or parts.username is not None:
        return False
    return (parts.scheme == "https" and "." in host) or (parts.scheme in {"http", "https"} and host in _LOOPBACK)


def _issuer(fields: Fields, tenant_id: str, *, required: bool) -> str:
    issuer = fields.text("issuer", required=required, longest=1024) or ""
    wanted = f"what Entra shows as 'Microsoft Entra Identifier': https://sts.windows.net/{tenant_id or '<tenant_id>'}/"
    if issuer and not issuer.startswith("https://"):
        fields.refuse("issuer", wanted, issuer)
    elif issuer and tenant_id and tenant_id not in issuer.split("/"):
        fields.refuse("issuer", f"{wanted}, which names entra.tenant_id", issuer)
    return issuer


def _certificates(fields: Fields, now: datetime, issuer: str, *, required: bool) -> Iterator[Certificate]:
    texts = fields.texts("certificates", required=required, longest=MAX_METADATA_BYTES)
    seen: set[str] = set()
    for number, text in enumerate(texts):
        try:
            for certificate in read_certificates(text, now, issuer=issuer or None):
                if certificate.fingerprint not in seen:
                    seen.add(certificate.fingerprint)
                    yield certificate
        except CertificateRefused as refused:
            fields.problem(f"certificates[{number}]", str(refused))


def _email_domains(fields: Fields) -> Iterator[str]:
    seen: set[str] = set()
    for number, text in enumerate(fields.texts("email_domains", required=False, longest=253)):
        domain = domain_key(text)
        if domain is None:
            fields.refuse(f"email_domains[{number}]", "a domain such as contoso.com, without '@'", text)
        elif domain not in seen:
            seen.add(domain)
            yield domain


class _Loader(yaml.SafeLoader):
    """YAML without aliases (a few lines of which can stand for gigabytes), duplicate keys or deep nesting."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not accepted; write the value out")
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise yaml.YAMLError("nested deeper than any manifest")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"'{key}' stands there twice (line {node.start_mark.line + 1} and below)")
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


# Times and dates have no place in a manifest; without this, `name: 2026-11-24` would not be text.
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _parsed(text: str | bytes) -> dict[str, Any]:
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        raise ManifestRefused([Problem("", f"the manifest has {len(raw)} bytes; at most {MAX_BYTES} are accepted")])
    try:
        data = yaml.load(raw.decode("utf-8-sig"), Loader=_Loader)  # noqa: S506  a SafeLoader, and stricter
    except UnicodeDecodeError:
        raise ManifestRefused([Problem("", "the manifest is not UTF-8 text")]) from None
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        told = " ".join(str(error).split())[:300]
        raise ManifestRefused([Problem("", f"the manifest is not readable YAML: {told}")]) from None
    if not isinstance(data, dict):
        raise ManifestRefused([Problem("", "the manifest must be a mapping that begins with 'company: …'")])
    return data
