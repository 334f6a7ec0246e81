"""What a sign-in in test mode shows: every rule in its order, and whether the answer kept it. Pure.

A rule is told as kept only where it was looked at: what comes behind the one that broke was not.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from shared.schemas.login import TriedLogin
from sso_gateway.saml.profile import VerifiedAssertion

RULES = (
    "readable", "status", "signature", "issuer", "tenant", "audience", "addresses", "asked", "times", "once", "who", "names",
    "state", "group", "sso",
)  # fmt: skip
BROKEN_BY: Mapping[str, str] = {
    "malformed_response": "readable",
    "idp_refused": "status",
    "not_signed": "signature",
    "bad_signature": "signature",
    "unknown_signer": "signature",
    "weak_algorithm": "signature",
    "wrong_issuer": "issuer",
    "wrong_tenant": "tenant",
    "wrong_audience": "audience",
    "wrong_destination": "addresses",
    "wrong_recipient": "addresses",
    "unknown_request": "asked",
    "expired": "times",
    "not_yet_valid": "times",
    "replayed": "once",
    "no_such_employee": "who",
    "matches_username_not_email": "who",
    "name_id_pairwise": "who",
    "needs_confirmation": "state",
    "suspended": "state",
    "departed": "state",
    "not_in_company_group": "group",
    "groups_overage": "group",
}
"""Reason -> the rule that was broken."""
UNPROVEN = {"wrong_audience": ("signature", "issuer", "tenant")}
"""An answer for another app may be told as such though its signer is not known (`gate.signed_response`)."""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    rule: str
    outcome: str
    """passed, failed, warned, or skipped: not looked at."""
    detail: str = ""


def lines(
    words: Mapping[str, str],
    reason: str | None,
    *,
    said: Callable[[str], str] = str,
    verified: VerifiedAssertion | None = None,
    tried: TriedLogin | None = None,
    entity_id: str = "",
    now: datetime | None = None,
) -> list[Line]:
    """`reason`: why it would be refused; None: it would not. `said`: what a code of a difference says in this language."""
    broken = BROKEN_BY.get(reason or "")
    place = len(RULES) if reason is None else RULES.index(broken) if broken else 0
    unproven = UNPROVEN.get(reason or "", ()) if verified is None else ()
    details = _details(words, verified, tried, entity_id, now)
    found = []
    for at, rule in enumerate(RULES):
        if rule == broken:
            found.append(Line(rule, "failed", details.get(rule, "")))
        elif at > place or rule in unproven or (broken is None and reason is not None):
            found.append(Line(rule, "skipped"))
        else:
            found.append(Line(rule, "passed", details.get(rule, "")))
    return [_warned(one, words, tried, said) for one in found]


def _warned(line: Line, words: Mapping[str, str], tried: TriedLogin | None, said: Callable[[str], str]) -> Line:
    """What lets a person in and is worth a look all the same."""
    if tried is None:
        return line
    if line.rule == "names" and tried.differs:
        return Line("names", "warned", " ".join(said(one) for one in tried.differs))
    if line.rule == "sso" and not tried.sso_enabled:
        return Line("sso", "warned", words["sso_off"])
    if line.rule == "group" and line.outcome == "passed" and tried.group in ("not_sent", "not_asked"):
        return Line("group", "warned", words[f"group_{tried.group}"])
    return line


def _details(
    words: Mapping[str, str],
    verified: VerifiedAssertion | None,
    tried: TriedLogin | None,
    entity_id: str,
    now: datetime | None,
) -> dict[str, str]:
    found: dict[str, str] = {}
    if verified is not None:
        found["signature"] = words["signed"].format(
            certificate=f"{verified.signer_fingerprint[:16]}…", signed=words[f"signed_{verified.signed}"]
        )
        found["tenant"], found["audience"] = verified.tenant_id, entity_id
        if now is not None:
            found["times"] = words["issued"].format(seconds=round((now - verified.issued_at).total_seconds()))
    if tried is not None and tried.employee_id is not None:
        by = words.get(f"by_{tried.by}", "").format(claim=tried.claim)
        link = f" {words['would_link']}" if tried.would_link else ""
        found["who"] = f"{tried.login_name or tried.employee_id}: {by}{link}"
        if tried.group is not None:
            found["group"] = words[f"group_{tried.group}"]
    return found
