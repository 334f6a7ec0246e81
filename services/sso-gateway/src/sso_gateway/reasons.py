"""Every reason for which this service refuses, once: the contract with operators, dashboards and clients.

Those that a document gives by itself are `saml.errors.Reason`; the others come from directory or from the request.
"""

from sso_gateway.saml.errors import Reason

FROM_DIRECTORY = frozenset(
    {
        "sso_off",
        "replayed",
        "unknown_request",
        "other_browser",
        "idp_initiated_off",
        "no_such_employee",
        "matches_username_not_email",
        "name_id_pairwise",
        "needs_confirmation",
        "suspended",
        "departed",
        "not_in_company_group",
        "groups_overage",
        "other_person_signed_in",
        "wrong_tenant",
        "expired",
    }
)
LOGIN_REASONS = frozenset(Reason) | FROM_DIRECTORY | {"unknown_company"}
"""Reasons for refusing a login; the label values of `sso_saml_rejections_total`, with `other`."""

LOGOUT_REASONS = frozenset(
    {
        "unknown_company",
        "malformed_logout",
        "not_signed",
        "weak_algorithm",
        "unknown_signer",
        "wrong_issuer",
        "wrong_destination",
        "expired",
        "not_yet_valid",
        "idp_refused",
    }
)
"""Reasons for not believing a logout message; the label values of `sso_logout_requests_total` and `sso_logout_responses_total`,
with `ok`, `server_error` and `other`."""
LOGOUT_ONLY = LOGOUT_REASONS - LOGIN_REASONS

PAGE_REASONS = (
    LOGIN_REASONS
    | LOGOUT_REASONS
    | {
        "unavailable",
        "too_many_requests",
        "not_found",
        "not_signed_in",
        "not_for_you",
        "wrong_origin",
        "invalid_request",
        "openid_off",
        "unknown_client",
        "wrong_redirect",
        "internal",
        "other",
    }
)
"""Whatever else a page can say."""


def known(reason: str | None) -> str:
    """A newer directory may know reasons that this release does not: told as `other`, never as a fault."""
    return reason if reason in PAGE_REASONS else "other"
