"""Logins: what sso-gateway asks and what directory answers.

A login is three operations: begin (we sent someone to Entra), complete (a verified assertion came back: decide, hand out a
ticket), open (the browser brings the ticket: session). An IdP-initiated login lacks the first.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from shared.schemas import Schema

SignedMode = Literal["assertion", "response", "both"]
MetadataUse = Literal["off", "propose", "adopt"]
"""What becomes of a new certificate in the company's metadata: not looked for; told to the company; trusted at once."""
IdpInitiated = Literal["true", "false", "bounce"]
GroupCheck = Literal["off", "when_sent", "required"]
SessionSeconds = Annotated[int, msgspec.Meta(ge=1, le=14 * 86_400)]
"""Two weeks at most, whoever says so."""
MAX_BROWSERS = 32
"""So many secrets may a browser hold: as many tabs as open at once in one that has not been here."""
BrowserHashes = Annotated[list[str], msgspec.Meta(max_length=MAX_BROWSERS)]
"""SHA-256 of a browser's secrets, 64 hexadecimal digits each."""
Origin = Literal["page", "app", "tile"]
"""What somebody was at when we sent him to Entra: our page, an app, or a tile whose answer only started a login of ours."""


class TrustedCertificate(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    fingerprint: str
    """SHA-256 of the DER form, 64 hexadecimal digits."""
    der_base64: str
    not_after: datetime


class Connection(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a company signs on: its Entra app, and whom it trusts."""

    company: str
    company_id: str
    """UUID text."""
    company_name: str
    language: Literal["da", "en"]
    entity_id: str
    """Our name towards this company's Entra app (Identifier), the only audience accepted."""
    tenant_id: str
    app_id: str
    sso_enabled: bool
    login_url: str
    issuer: str
    signed: SignedMode
    idp_initiated: IdpInitiated
    certificates: list[TrustedCertificate]
    metadata: MetadataUse = "off"
    version: int


class GetConnection(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company: str


class FindCompanies(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which companies claim the domain of this address? Says nothing about the person."""

    email: str


class CompanyChoice(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company: str
    company_name: str


class CompaniesFound(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    companies: list[CompanyChoice]
    """By their names."""
    more: bool = False
    """There are more than anybody reads through; these are some of them."""


class BeginLogin(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    company: str
    browser_sha256: str
    """Hash of the secret in this browser's login cookie, 64 hexadecimal digits."""
    return_to: str
    """A path of ours, already checked by the gateway."""
    ttl_s: int
    origin: Origin = "page"
    test: bool = False
    """Its answer shows the decision and opens no session; it is let begin while SSO is off, too."""


class BegunLogin(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    flow_id: str
    """Also the AuthnRequest's ID: `_` and 32 hexadecimal digits."""
    connection: Connection


class LoginAttempt(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the gateway proved about an assertion; nothing unproven is in it."""

    company: str
    ticket_sha256: str
    ticket_ttl_s: int
    attempt_id: str = ""
    """Speakable, by chance; of use where nobody began the login (`shared.attempts`)."""
    answered_at: datetime | None = None
    """When the answer reached the gateway."""
    in_response_to: str | None
    """The flow it answers; None for IdP-initiated."""
    relay_path: str | None = None
    """Where an IdP-initiated login wants to go; a checked path of ours."""
    assertion_id: str
    expires_at: datetime
    """Until when the assertion could be presented again (its NotOnOrAfter and the clock difference allowed)."""
    tenant_id: str
    object_id: str
    name_id: str
    name_id_format: str | None = None
    session_index: str | None = None
    authenticated_at: datetime | None = None
    """When the person showed the identity provider who he is; None: not said."""
    email_claim: str | None = None
    name_claim: str | None = None
    groups: list[str] | None = None
    """None: the claim was not sent."""
    groups_overage: bool = False
    signer_fingerprint: str
    signed: SignedMode = "assertion"
    """What bore a signature, each of which was verified."""


TriedGroup = Literal["not_asked", "not_sent", "claim", "provisioned", "not_in_it", "too_many"]
"""What said that somebody is in the company's group, why nothing needed to, or why he is not let in for it."""


class TriedLogin(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a login in test mode would have been decided; for the eyes of whoever proved himself."""

    accepted: bool
    reason: str | None = None
    sso_enabled: bool = True
    """False: such a login is refused for now, for SSO is off."""
    employee_id: str | None = None
    login_name: str | None = None
    email: str | None = None
    """As search keys."""
    by: str | None = None
    """By what he was found: object_id, login_name, email."""
    claim: str | None = None
    would_link: bool = False
    """It would have tied the Entra object id to him."""
    differs: list[str] = []
    """Codes: where NameID and claims are others than his names, and which setting mends it."""
    group: TriedGroup | None = None


class LoginOutcome(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Either accepted, with the employee, or refused with a reason of the interfaces' list."""

    accepted: bool
    reason: str | None = None
    employee_id: str | None = None
    return_to: str | None = None
    linked: bool = False
    """True when this login tied the Entra object id to the employee for the first time."""
    attempt_id: str = ""
    """Under which the attempt is traced."""
    tried: TriedLogin | None = None
    """Of a login in test mode, which is never accepted."""


class OpenSession(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company_id: str
    ticket_sha256: str
    browsers_sha256: BrowserHashes
    """Of all secrets of login cookies that the browser brought; one of them began the login."""
    current_session: "SessionCredential | None"
    """The session that this browser has already, if any."""
    session_sha256: str
    session_ttl_s: SessionSeconds
    instead_of: str | None = None
    """`ses_…` of the other person's session that is to end for this one: he was asked, and said so (S88)."""


class Named(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    login_name: str
    given_name: str
    family_name: str


class Choice(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two people and one browser: whoever sits there chooses."""

    signed_in: Named
    proven: Named
    session_id: str
    """`ses_…` of whoever is signed in; no secret."""
    ttl_s: int
    """So long the ticket is good, from now."""


class DropTicket(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company_id: str
    ticket_sha256: str
    browsers_sha256: BrowserHashes


class DroppedTicket(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dropped: bool
    """False: there was none (any more), or it is another browser's."""


class OpenedSession(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    opened: bool
    reason: str | None = None
    """`other_browser`, `other_person_signed_in`, `expired` …"""
    return_to: str = "/"
    expires_at: datetime | None = None
    started_by_us: bool = False
    """The login was begun here, in this browser; not at a tile of Microsoft 365."""
    company: str | None = None
    company_name: str | None = None
    """Of an opened one, for the browser to remember."""
    attempt_id: str = ""
    """Of the login whose ticket it was; empty where nobody knows."""
    choice: Choice | None = None
    """With `other_person_signed_in`; the ticket is good for longer from now on."""
    person: "SignedIn | None" = None
    """Of an opened one: what `read_session` would have answered at that moment, so that nobody need ask at once."""


class SessionCredential(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company_id: str
    session_sha256: str


class ReadSession(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential


class SignedIn(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose session it is: the body of `GET /session`."""

    company: str
    employee_id: str
    login_name: str
    email: str
    given_name: str
    family_name: str
    roles: list[str]
    signed_in_at: datetime
    expires_at: datetime


class EndSession(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    session: SessionCredential
    at_idp: bool = False
    """Whoever ends it wants to sign out at the identity provider too, and must know what that knows the session by."""


class IdpSession(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the identity provider knows a session by."""

    connection: Connection
    name_id: str
    name_id_format: str | None
    session_index: str | None


class EndedSession(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    ended: bool
    """False: there was none (any more)."""
    idp_session: IdpSession | None = None
    """Where it was asked for and there was a session."""


class WatchEndings(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sessions have ended since: asked again and again by whoever remembers sessions."""

    cursor: Annotated[str, msgspec.Meta(max_length=100)] = ""
    """Of the last answer; empty the first time."""
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=10)]
    """So long the answer may take where nothing ends."""


class Ending(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company_id: str
    employee_id: str | None
    """None: everybody's of the company."""


class Endings(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    cursor: str
    missed: bool = False
    """What came since that cursor is not known: whatever is remembered is to be forgotten."""
    listening: bool
    """Whether this process hears of endings at the moment; where it does not, memory has to run out by itself."""
    endings: list[Ending] = []


class EndIdpSession(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the gateway proved about a logout that Entra began; nothing unproven is in it."""

    company: str
    session_indexes: list[str]
    name_id: str
    name_id_format: str | None = None
    """None: not said, or said to be unspecified."""
    until: datetime
    """A session that was opened later is not meant (the request's IssueInstant and the clock difference allowed)."""
    signer_fingerprint: str


class EndedIdpSession(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accepted, however few sessions there were; or refused, with a reason of the interfaces' list."""

    accepted: bool
    reason: str | None = None
    sessions: int = 0
    found_by: Literal["session_index", "name_id", "nothing"] = "nothing"
