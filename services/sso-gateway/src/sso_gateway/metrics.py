"""Metrics that sso-gateway moves; those common to all services are in `shared.telemetry.metrics`.

Company is never a label. Every label's values are a closed list.
"""

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

LOGINS = Counter("sso_login_total", "Finished logins: ok, rejected or server_error", ["outcome", "flow", "client"])
CHOICES = Counter(
    "sso_login_choices_total",
    "Logins in a browser where somebody else is signed in: asked who goes on, switched, or continued as who was there",
    ["outcome"],
)
REJECTIONS = Counter("sso_saml_rejections_total", "Refused logins, exactly one reason each", ["reason"])
DURATION = Histogram(
    "sso_login_duration_seconds",
    "Time of a login's stages: verify (signature and profile), lookup (directory's decision), session (opening it)",
    ["stage"],
    buckets=_SECONDS,
)
TESTS = Counter(
    "sso_login_tests_total", "Logins in test mode, which are no logins: started, would be ok, rejected", ["outcome"]
)
AUTHN_REQUESTS = Counter("sso_authn_requests_total", "Logins started by us", ["binding"])
REPLAYS = Counter("sso_saml_replays_total", "Assertions presented a second time")
SESSION_READS = Counter(
    "sso_session_reads_total",
    "How it was found out whose a session is: remembered, joined (a question that was under way), asked of directory",
    ["source"],
)
ENDINGS_WATCHED = Gauge(
    "sso_endings_watched",
    "1 while this process hears of ended sessions at once; 0: it refuses them within a second all the same",
)
SESSIONS_ENDED = Counter("sso_sessions_revoked_total", "Sessions that ended here before their time", ["cause"])
LOGOUT_REQUESTS = Counter(
    "sso_logout_requests_total", "Logouts that Entra began: ok, server_error, or the reason of the refusal", ["outcome"]
)
LOGOUTS_AT_IDP = Counter("sso_logouts_at_idp_total", "Logouts that went on from here to Entra", ["binding"])
LOGOUT_RESPONSES = Counter(
    "sso_logout_responses_total",
    "Entra's answers to those: ok (signed out there too), or why that is not known",
    ["outcome"],
)
VERIFICATIONS = Counter(
    "sso_signature_verifications_total",
    "Signatures checked; key_slot: current (the company's first certificate), next (another of them), unknown",
    ["key_slot", "algorithm"],
)
METADATA_FETCHES = Counter(
    "sso_metadata_fetches_total",
    "Looks at a company's federation metadata: same, adopted or offered (new certificates), failed (the known stay in use), "
    "refused (it was not the company's), not_allowed (its host is none of METADATA_HOSTS, nothing was fetched)",
    ["result"],
)
OIDC_AUTHORIZATIONS = Counter(
    "sso_oidc_authorizations_total",
    "Apps that asked for somebody to be signed in: code, login (he is sent on to sign in), page (nobody to answer to), or the "
    "error that went back",
    ["outcome"],
)
OIDC_TOKENS = Counter("sso_oidc_tokens_total", "Tokens issued to apps, by grant", ["grant"])
OIDC_REFUSALS = Counter(
    "sso_oidc_refusals_total",
    "Refusals of the endpoints that apps call themselves: token, revoke, introspect, userinfo",
    ["endpoint", "error"],
)
OIDC_REUSE = Counter(
    "sso_oidc_reuse_total", "Codes and refresh tokens that came a second time; what they had been given ended", ["what"]
)
OIDC_LOGOUTS = Counter(
    "sso_oidc_logouts_total",
    "Logouts that an app began: ended, asked (the person decides), nobody (was signed in), refused",
    ["outcome"],
)
OIDC_KEYS_UNREADABLE = Gauge(
    "sso_oidc_keys_unreadable",
    "1 while the folder of signing keys has changed and cannot be read; the former ones are in use",
)
REFUSALS_NOTED = Counter(
    "sso_refusals_noted_total",
    "Refused answers on their way into login traces: written, again (once more, later), lost with the process, no_room (too many "
    "companies wait), refused or unfit by directory",
    ["result"],
)
CLOCK_SKEW = Histogram(
    "sso_clock_skew_seconds",
    "Our clock minus the assertion's IssueInstant",
    buckets=(-120, -60, -30, -10, -2, 0, 2, 10, 30, 60, 120, 300, 600),
)
