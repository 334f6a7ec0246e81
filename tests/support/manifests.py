"""A good manifest, and ways to change one field of it."""

from copy import deepcopy
from typing import Any

from tests.entra.certificates import new_certificate
from tests.entra.tenant import utc_now

TENANT = "11111111-1111-4111-8111-111111111111"
PEM = new_certificate(utc_now(), active=True).pem

GOOD: dict[str, Any] = {
    "company": "contoso",
    "name": "Contoso A/S",
    "time_zone": "Europe/Copenhagen",
    "language": "da",
    "entra": {
        "tenant_id": TENANT,
        "app_id": "22222222-2222-4222-8222-222222222222",
        "group_id": "33333333-3333-4333-8333-333333333333",
        "group_name": "BitaBIZ Contoso",
    },
    "sso": {
        "enabled": True,
        "login_url": f"https://login.microsoftonline.com/{TENANT}/saml2",
        "issuer": f"https://sts.windows.net/{TENANT}/",
        "certificates": [PEM],
        "signed": "assertion",
        "idp_initiated": True,
        "group_check": "when_sent",
        "email_domains": ["contoso.com"],
    },
    "provisioning": {"enabled": True, "strict": False},
    "approvers": {"follow_entra_managers": True},
}

ABSENT = object()


def manifest(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """The good one with fields by dotted path set, or taken out with ABSENT."""
    made = deepcopy(GOOD)
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        place = made
        for parent in parents:
            place = place[parent]
        if value is ABSENT:
            del place[last]
        else:
            place[last] = value
    return made


WRONG: list[tuple[str, Any, str]] = [
    ("company", ABSENT, "company: is missing"),
    ("company", "Contoso", "company: wanted 3 to 63 lower-case letters"),
    ("company", "ab", "company: wanted 3 to 63"),
    ("company", "-contoso", "company: wanted"),
    ("company", "con toso", "company: wanted"),
    ("rehire", {"ask_after_days": "90"}, "rehire.ask_after_days: wanted a whole number of days from 0 to 36500"),
    ("rehire", {"days": 1}, "rehire.days: there is no such setting"),
    ("brake", {"people": -1}, "brake.people: wanted a whole number of people from 0 to 1000000"),
    ("sso", {"traces_days": 0}, "sso.traces_days: wanted a whole number of days from 1 to 400"),
    ("sso", {"traces_days": 401}, "sso.traces_days: wanted a whole number of days from 1 to 400"),
    ("sso", {"session_hours": 0}, "sso.session_hours: wanted a whole number of hours from 1 to 335"),
    ("sso", {"session_hours": 336}, "sso.session_hours: wanted a whole number of hours from 1 to 335"),
    ("sso", {"idle_minutes": 4}, "sso.idle_minutes: wanted 0 for no limit, or at least 5 minutes"),
    ("sso", {"idle_minutes": 20101}, "sso.idle_minutes: wanted a whole number of minutes from 0 to 20100"),
    ("provisioning", {"journal_days": 0}, "provisioning.journal_days: wanted a whole number of days from 1 to 400"),
    ("brake", {"percent": True}, "brake.percent: wanted a whole number of percent from 0 to 100"),
    (
        "retention",
        {"erase_after_months": 0},
        "retention.erase_after_months: wanted a whole number of months from 1 to 1200",
    ),
    ("company", "finish", "company: wanted a name that is not an address of ours"),
    ("company", "a" * 64, "company: has 64 characters"),
    ("company", 4711, "company: wanted text (put it in quotes)"),
    ("company", "contoso\n", "company:"),
    ("name", "", "name: is empty"),
    ("name", ABSENT, "name: is missing"),
    ("name", "x" * 300, "name: has 300 characters"),
    ("name", "a\x07b", "name: holds control characters"),
    ("name", ["Contoso"], "name: wanted text"),
    ("time_zone", "Copenhagen", "time_zone: wanted a name of the time zone database"),
    ("time_zone", "../etc/passwd", "time_zone: wanted"),
    ("language", "sv", "language: wanted da or en; came 'sv'"),
    ("entra", ABSENT, "entra: is missing"),
    ("entra", "x", "entra: wanted a section"),
    ("entra.tenant_id", "contoso.onmicrosoft.com", "entra.tenant_id: wanted an id like"),
    ("entra.tenant_id", ABSENT, "entra.tenant_id: is missing"),
    ("entra.app_id", "00000000-0000-0000-0000-000000000000", "entra.app_id: wanted an id like"),
    ("entra.group_id", "BitaBIZ", "entra.group_id: wanted an id like"),
    ("entra.group_name", 5, "entra.group_name: wanted text"),
    ("entra.client_secret", "s3cret", "entra.client_secret: there is no such setting"),
    ("sso", [1], "sso: wanted a section"),
    ("sso.enabled", "yes", "sso.enabled: wanted true or false"),
    ("sso.login_url", ABSENT, "sso.login_url: is missing"),
    ("sso.login_url", "http://login.microsoftonline.com/x/saml2", "sso.login_url: wanted the https address"),
    ("sso.login_url", "javascript:alert(1)", "sso.login_url: wanted the https address"),
    ("sso.login_url", "https://user@login.microsoftonline.com/", "sso.login_url: wanted the https address"),
    ("sso.login_url", "https://[::1", "sso.login_url: wanted the https address"),
    (
        "sso.issuer",
        "https://sts.windows.net/99999999-9999-4999-8999-999999999999/",
        "sso.issuer: wanted what Entra shows",
    ),
    ("sso.issuer", "sts", "sso.issuer: wanted what Entra shows"),
    ("sso.certificates", [], "sso.certificates: is missing"),
    ("sso.certificates", PEM, "sso.certificates: wanted a list"),
    (
        "sso.certificates",
        ["-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----"],
        "sso.certificates[0]: this holds a private key",
    ),
    ("sso.certificates", [PEM, "rubbish!"], "sso.certificates[1]: it is not base64"),
    ("sso.certificates", [7], "sso.certificates[0]: wanted text"),
    ("sso.signed", "none", "sso.signed: wanted assertion or response or both; came 'none'"),
    ("sso.idp_initiated", "sometimes", "sso.idp_initiated: wanted true or false or bounce"),
    ("sso.group_check", "always", "sso.group_check: wanted off or when_sent or required"),
    ("sso.email_domains", ["@contoso.com"], "sso.email_domains[0]: wanted a domain"),
    ("sso.email_domains", "contoso.com", "sso.email_domains: wanted a list"),
    ("sso.email_domains", ["localhost"], "sso.email_domains[0]: wanted a domain"),
    ("provisioning.enabled", 1, "provisioning.enabled: wanted true or false"),
    ("provisioning.token", "t", "provisioning.token: there is no such setting"),
    ("approvers.follow_entra_manager", True, "Did you mean 'follow_entra_managers'?"),
    ("sso.certificate", PEM, "Did you mean 'certificates'?"),
    ("secret", "s", "secret: there is no such setting"),
]
