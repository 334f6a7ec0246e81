"""What is signed by the right key and still signs nobody in: for somebody else, by somebody else, too late, or of nobody."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.entra import saml
from tests.entra.claims import GROUPS, MICROSOFT, OBJECT_ID, TENANT_ID, XMLSOAP
from tests.support.saml_corpus.case import (
    ASSERTION_ID,
    VICTIM,
    Case,
    changed,
    edited,
    genuine,
    replacing,
    respond,
    with_another,
    with_claim,
)
from tests.support.saml_responses import ACS, ENTITY_ID, FLOW, ISSUER, NOW, TENANT
from tests.support.saml_responses import OBJECT_ID as ANNA

OTHER_TENANT = "99999999-9999-4999-8999-999999999999"
OTHER_ISSUER = f"https://sts.windows.net/{OTHER_TENANT}/"
OTHER_ACS = ACS.replace("contoso", "fabrikam")
FABRIKAM = "https://www.bitabiz.com/fabrikam"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
CLAIM = "one value in the claim "


def cases() -> Iterator[Case]:
    yield from _parties()
    yield from _audiences()
    yield from _requests()
    yield from _times()
    yield from _persons()
    yield from _statuses()


def _case(reason: str, name: str, attack: str, wanted: str = "", /, **changes: object) -> Case:
    """The genuine response with other values, signed by the company's own key."""
    return Case(reason=reason, name=name, attack=attack, refused=respond(**changes), accepted=respond(), wanted=wanted)  # type: ignore[arg-type]


def _parties() -> Iterator[Case]:
    attack = "issuer mix-up"
    yield _case("wrong_issuer", "another_tenant", attack, issuer=OTHER_ISSUER)
    yield _case("wrong_issuer", "response_of_another", attack, issuer=OTHER_ISSUER, assertion_issuer=ISSUER)
    yield _case("wrong_issuer", "assertion_of_another", attack, assertion_issuer=OTHER_ISSUER)
    yield _case("wrong_issuer", "no_slash", attack, issuer=ISSUER.removesuffix("/"))
    yield _case("wrong_issuer", "upper_case", attack, issuer=ISSUER.upper())
    yield _case("wrong_issuer", "space", attack, issuer=f" {ISSUER}")
    yield _case("wrong_issuer", "empty", attack, issuer="")
    yield _case(
        "wrong_issuer", "look_alike", attack, issuer=ISSUER.replace("windows", "wind\N{CYRILLIC SMALL LETTER O}ws")
    )
    outside = edited(f">{ISSUER}<", f">{OTHER_ISSUER}<")
    yield Case(reason="wrong_issuer", name="response_changed", attack=attack, refused=outside, accepted=respond())
    attack = "another company's assertion, same tenant and issuer"
    yield _case("wrong_destination", "another_company", attack, destination=OTHER_ACS)
    yield _case("wrong_destination", "none", attack, destination=None)
    yield _case("wrong_destination", "slash", attack, destination=f"{ACS}/")
    yield _case("wrong_destination", "query", attack, destination=f"{ACS}?x=1")
    yield _case("wrong_destination", "upper_case", attack, destination=ACS.upper())
    yield _case("wrong_recipient", "another_company", attack, recipient=OTHER_ACS)
    yield _case("wrong_recipient", "none", attack, recipient=None)
    yield _case("wrong_recipient", "entity_id", attack, recipient=ENTITY_ID)
    yield _case("wrong_recipient", "space", attack, recipient=f"{ACS} ")
    for name, values in (
        ("another_tenant", (OTHER_TENANT,)),
        ("empty", ("",)),
        ("braces", (f"{{{TENANT}}}",)),
    ):
        yield _case("wrong_tenant", name, attack, claims=with_claim(TENANT_ID, *values))
    yield _case("wrong_tenant", "no_claim", attack, claims=with_claim(TENANT_ID))
    yield _case("wrong_tenant", "no_claims_at_all", attack, drop=frozenset({"AttributeStatement"}))
    attack = "another confirmation method or version"
    methods = BEARER.removesuffix("bearer")
    for method in ("holder-of-key", "sender-vouches"):
        yield _case("malformed_response", method, attack, BEARER, confirmation_method=f"{methods}{method}")
    yield _case("malformed_response", "no_method", attack, BEARER, confirmation_method="")
    yield _case("malformed_response", "version_1_1", attack, "Version 2.0", version="1.1")
    version = replacing('Version="2.0"', 'Version="2.1"')
    yield _case("malformed_response", "version_of_assertion", attack, "Version 2.0", edit_assertion=version)


def _audiences() -> Iterator[Case]:
    attack = "another company's assertion, same tenant and issuer"
    for name, audience in (
        ("another_company", FABRIKAM),
        ("spn", f"spn:{ENTITY_ID}"),
        ("slash", f"{ENTITY_ID}/"),
        ("spaces", f" {ENTITY_ID} "),
        ("upper_case", ENTITY_ID.upper()),
        ("prefix", f"{ENTITY_ID}-test"),
        ("empty", ""),
    ):
        yield _case("wrong_audience", name, attack, audience=audience)
    recipe = changed(genuine(), "fabrikam", audience=FABRIKAM, recipient=OTHER_ACS, destination=OTHER_ACS)
    theirs = saml.respond(recipe)
    yield Case(reason="wrong_audience", name="posted_elsewhere", attack=attack, refused=theirs, accepted=respond())
    attack = "missing conditions"
    yield _case("wrong_audience", "no_restriction", attack, drop=frozenset({"AudienceRestriction"}))
    yield _case("wrong_audience", "restriction_of_nobody", attack, audience=None)
    second = f"<AudienceRestriction><Audience>{FABRIKAM}</Audience></AudienceRestriction></Conditions>"
    yield _case("wrong_audience", "two_restrictions", attack, edit_assertion=replacing("</Conditions>", second))


def _requests() -> Iterator[Case]:
    attack = "made-up or stale InResponseTo"
    for name, response, confirmation in (
        ("only_in_response", FLOW, None),
        ("only_in_confirmation", None, FLOW),
        ("two_requests", FLOW, "_another"),
        ("empty", "", ""),
        ("with_a_space", "_1 2", "_1 2"),
        ("too_long", "_" * 129, "_" * 129),
        ("begins_with_a_digit", "1", "1"),
    ):
        changes = {"in_response_to": response, "confirmation_in_response_to": confirmation}
        yield _case("unknown_request", name, attack, **changes)
    outside = edited(f'InResponseTo="{FLOW}"', 'InResponseTo="_another"')
    yield Case(reason="unknown_request", name="response_changed", attack=attack, refused=outside, accepted=respond())
    outside = edited(f' InResponseTo="{FLOW}"', "")
    yield Case(reason="unknown_request", name="made_unsolicited", attack=attack, refused=outside, accepted=respond())


def _times() -> Iterator[Case]:
    attack = "missing or endless validity"
    minute, second = timedelta(minutes=1), timedelta(seconds=1)

    def late(name: str, reason: str, **changes: datetime) -> Case:
        return _case(reason, name, attack, **changes)

    yield late("conditions_over", "expired", not_on_or_after=NOW - 60 * second)
    yield late("confirmation_over", "expired", confirmation_not_on_or_after=NOW - 60 * second)
    yield late("issued_long_ago", "expired", issued_at=NOW - 10 * minute - second)
    yield late("response_long_ago", "expired", responded_at=NOW - 10 * minute - second)
    yield late("yesterday", "expired", **_moved(timedelta(days=-1)))
    tile = respond(in_response_to=None, issued_at=NOW - 5 * minute - second)
    fresh = respond(in_response_to=None)
    yield Case(reason="expired", name="tile_long_ago", attack=attack, refused=tile, accepted=fresh)
    yield late("conditions_begin_later", "not_yet_valid", not_before=NOW + 61 * second)
    yield late("issued_later", "not_yet_valid", issued_at=NOW + 2 * minute + second)
    yield late("responded_later", "not_yet_valid", responded_at=NOW + 2 * minute + second)
    yield late("tomorrow", "not_yet_valid", **_moved(timedelta(days=1)))
    lifetime, reason = "a validity of at most", "malformed_response"
    day = timedelta(hours=24)
    yield _case(reason, "endless_conditions", attack, lifetime, not_on_or_after=NOW + day + 10 * minute)
    yield _case(reason, "endless_confirmation", attack, lifetime, confirmation_not_on_or_after=NOW + 3650 * day)
    yield _case(reason, "empty_validity", attack, lifetime, not_before=NOW, not_on_or_after=NOW)
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
    yield _case(reason, "since_the_first_day", attack, lifetime, not_before=first)
    yield _case(reason, "until_the_last_day", attack, lifetime, not_on_or_after=last)
    yield _case(reason, "confirmation_until_the_last_day", attack, lifetime, confirmation_not_on_or_after=last)
    ends = {"not_on_or_after": last, "confirmation_not_on_or_after": last}
    yield _case(reason, "everything_until_the_last_day", attack, lifetime, **ends)
    yield late("over_on_the_first_day", "expired", not_before=first, not_on_or_after=first)
    yield late("begins_on_the_last_day", "not_yet_valid", not_before=last)
    yield late("issued_on_the_first_day", "expired", issued_at=first)
    yield late("issued_on_the_last_day", "not_yet_valid", issued_at=last)
    both = "Conditions with NotBefore and NotOnOrAfter"
    yield _case(reason, "no_beginning", attack, both, not_before=None)
    yield _case(reason, "no_end", attack, both, not_on_or_after=None)
    confirmation = "SubjectConfirmationData with NotOnOrAfter"
    yield _case(reason, "confirmation_without_end", attack, confirmation, confirmation_not_on_or_after=None)
    yield _case(reason, "confirmation_with_beginning", attack, confirmation, confirmation_not_before=NOW - minute)
    # Restrictions that would not be kept: refused, not overlooked.
    until = replacing("<AuthnStatement ", '<AuthnStatement SessionNotOnOrAfter="2026-11-24T08:00:00.000Z" ')
    yield _case(reason, "end_of_session", attack, "AuthnStatement with known attributes only", edit_assertion=until)
    of_address = replacing("<SubjectConfirmationData ", '<SubjectConfirmationData Address="192.0.2.1" ')
    yield _case(
        reason, "address", attack, "SubjectConfirmationData with known attributes only", edit_assertion=of_address
    )
    written = 'NotBefore="2026-11-24T07:54:57.880Z"'
    for name, instant in (
        ("with_a_zone", "2026-11-24T08:54:57+01:00"),
        ("without_zone", "2026-11-24T07:54:57"),
        ("date_alone", "2026-11-24"),
        ("month_13", "2026-13-24T07:54:57Z"),
        ("year_of_five_digits", "12026-11-24T07:54:57Z"),
        ("digits_of_another_script", "٢٠٢٦-11-24T07:54:57Z"),
        ("leap_second", "2026-06-30T23:59:60Z"),
        ("empty", ""),
    ):
        edit = replacing(written, f'NotBefore="{instant}"')
        yield _case(reason, f"instant_{name}", attack, "NotBefore as a UTC instant", edit_assertion=edit)
    outside = edited('IssueInstant="2026-11-24T07:59:58.006Z"', 'IssueInstant="now"')
    yield Case(
        reason=reason,
        name="instant_of_response",
        attack=attack,
        refused=outside,
        accepted=respond(),
        wanted="IssueInstant as a UTC instant",
    )


def _moved(by: timedelta) -> dict[str, datetime]:
    recipe = genuine()
    names = ("issued_at", "responded_at", "not_before", "not_on_or_after", "confirmation_not_on_or_after")
    return {name: getattr(recipe, name) + by for name in names}


def _persons() -> Iterator[Case]:
    reason, attack = "malformed_response", "look-alike or doubled claims"
    guid = "an objectidentifier claim that is a GUID"
    for name, values, wanted in (
        ("no_object_id", (), guid),
        ("object_id_is_a_name", ("anna@contoso.com",), guid),
        ("object_id_with_line_break", (f"{ANNA}\n",), guid),
        ("object_id_in_braces", (f"{{{ANNA}}}",), guid),
        ("object_id_in_other_digits", (ANNA.replace("9", "٩"),), guid),
        ("object_id_empty", ("",), guid),
        ("two_object_ids", (ANNA, VICTIM), CLAIM + OBJECT_ID),
        ("same_object_id_twice", (ANNA, ANNA), CLAIM + OBJECT_ID),
    ):
        yield _case(reason, name, attack, wanted, claims=with_claim(OBJECT_ID, *values))
    for name, claim in (
        ("object_id_claim_twice", (OBJECT_ID, (VICTIM,))),
        ("tenant_claim_twice", (TENANT_ID, (TENANT,))),
        ("email_claim_twice", (f"{XMLSOAP}emailaddress", ("bo@contoso.com",))),
        ("name_claim_twice", (f"{XMLSOAP}name", ("bo@contoso.com",))),
        ("display_name_twice", (f"{MICROSOFT}displayname", ("Bo",))),
    ):
        yield _case(reason, name, attack, CLAIM + claim[0], claims=with_another(claim))
    groups = with_another((GROUPS, (VICTIM,)))
    yield _case(reason, "groups_claim_twice", attack, "one groups claim", claims=groups)
    many = with_claim(GROUPS, *(f"{number:08d}-aaaa-4aaa-8aaa-aaaaaaaaaaaa" for number in range(2_001)))
    yield _case(reason, "too_many_groups", attack, "one groups claim", claims=many)
    empty = '<Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"/></AttributeStatement>'
    edit = replacing("</AttributeStatement>", empty)
    yield _case(reason, "claim_without_value", attack, CLAIM + f"{XMLSOAP}upn", edit_assertion=edit)
    attack, wanted = "NameID confusion", "a NameID of 1 to 256 printable characters"
    for name, name_id in (
        ("empty", ""),
        ("blank", "  "),
        ("too_long", "a" * 257),
        ("zero_width", "anna\N{ZERO WIDTH SPACE}@contoso.com"),
        ("right_to_left", "anna\N{RIGHT-TO-LEFT OVERRIDE}@contoso.com"),
        ("line_break", "anna\r\n@contoso.com"),
        ("tab", "anna\t@contoso.com"),
        ("no_break_space", "anna\N{NO-BREAK SPACE}@contoso.com"),
    ):
        yield _case(reason, f"name_id_{name}", attack, wanted, name_id=name_id)
    attack = "another confirmation method or version"
    index = "an AuthnStatement with SessionIndex"
    yield _case(reason, "no_session_index", attack, index, session_index=None)
    yield _case(reason, "session_index_with_a_space", attack, index, session_index="_1 2")
    identifier = "an ID of at most 128"
    yield _case(reason, "long_assertion_id", attack, identifier, assertion_id="_" * 129, session_index=ASSERTION_ID)
    yield _case(reason, "long_response_id", attack, identifier, response_id="_" * 129)
    yield _case(reason, "assertion_id_with_a_space", attack, identifier, assertion_id="_1 2")


def _statuses() -> Iterator[Case]:
    attack = "script in StatusMessage, RelayState, audience"
    for name, code, subcode, message in (
        ("request_unsupported", "Requester", "RequestUnsupported", "AADSTS75011: <script>alert(1)</script>"),
        ("no_passive", "Responder", "NoPassive", ""),
        ("authn_failed", "Responder", "AuthnFailed", "Anna Ærø must not be told"),
        ("version_mismatch", "VersionMismatch", "RequestVersionTooHigh", ""),
    ):
        refused = _failure(code, subcode, message)
        yield Case(reason="idp_refused", name=name, attack=attack, refused=refused, accepted=respond())
    attack = "signature left out, or one of two"
    status = "one status: success with an Assertion, or a failure without"
    failed = edited(SUCCESS, SUCCESS.replace("Success", "Responder"))
    nested = edited(f'<samlp:StatusCode Value="{SUCCESS}"/>', _nested())
    for name, document in (("failure_with_assertion", failed), ("success_with_subcode", nested)):
        yield Case(
            reason="malformed_response", name=name, attack=attack, refused=document, accepted=respond(), wanted=status
        )


def _nested() -> str:
    inner = '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/>'
    return f'<samlp:StatusCode Value="{SUCCESS}">{inner}</samlp:StatusCode>'


def _failure(code: str, subcode: str, message: str) -> bytes:
    """As the simulator writes one, without what differs from run to run."""
    status = SUCCESS.removesuffix("Success")
    inner = f'<samlp:StatusCode Value="{status}{subcode}"/>'
    told = f"<samlp:StatusMessage>{saml.text(message)}</samlp:StatusMessage>" if message else ""
    failed = f'<samlp:StatusCode Value="{status}{code}">{inner}</samlp:StatusCode>{told}'
    edit = replacing(f'<samlp:StatusCode Value="{SUCCESS}"/>', failed)
    return respond(drop=frozenset({"Assertion"}), edit_response=edit, signer="contoso")
