"""What a signed assertion must say, one test for each rule."""

import dataclasses
from datetime import timedelta

import msgspec
import pytest

from sso_gateway.saml.errors import Reason
from sso_gateway.saml.gate import signed_response
from sso_gateway.saml.profile import CLAIM_GROUPS, CLAIM_GROUPS_LINK, VerifiedAssertion, check
from tests.support.saml_responses import (
    ACS,
    ENTITY_ID,
    FLOW,
    ISSUER,
    MICROSOFT,
    NOW,
    OBJECT_ID,
    TENANT,
    XMLSOAP,
    Recipe,
    respond,
    signing_key,
)
from tests.unit.sso_gateway.saml_support import EXPECTED, pinned, reason, refusal, sign_in

OTHER_TENANT = "99999999-9999-4999-8999-999999999999"
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def with_claim(name: str, *values: str) -> Recipe:
    """The usual claims, one of them with other values; without values it is left out."""
    kept = [claim for claim in Recipe().claims if claim[0] != name]
    return Recipe(claims=(*kept, *([(name, values)] if values else [])))


def with_another(name: str, value: str) -> Recipe:
    return Recipe(claims=(*Recipe().claims, (name, (value,))))


def test_everything_a_login_needs_is_read() -> None:
    verified = sign_in(respond())
    assert (verified.object_id, verified.tenant_id, verified.name_id) == (OBJECT_ID, TENANT, "anna@contoso.com")
    assert (verified.in_response_to, verified.session_index) == (FLOW, verified.assertion_id)
    assert (verified.email, verified.groups, verified.groups_overage) == ("anna@contoso.com", None, False)
    assert verified.not_on_or_after == NOW + 61 * MINUTE
    assert verified.signer_fingerprint == signing_key().fingerprint


def test_only_the_profile_makes_verified_assertions() -> None:
    with pytest.raises(TypeError):
        dataclasses.replace(sign_in(respond()), proof=object())
    assert VerifiedAssertion.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_a_verified_assertion_does_not_show_its_person_when_printed() -> None:
    assert "anna" not in repr(sign_in(respond()))


@pytest.mark.parametrize("name", ["Åse Ærø Ørsted", "Jürgen Groß", 'O\'Brien & <Søn> "A/S"', "x" * 256])
def test_names_come_out_as_they_went_in(name: str) -> None:
    verified = sign_in(respond(dataclasses.replace(with_claim(f"{XMLSOAP}/name", name), name_id=name)))
    assert (verified.name_id, verified.name_claim) == (name, name)


@pytest.mark.parametrize("claim", ["name", "emailaddress"])
def test_a_name_that_was_sent_empty_was_not_sent(claim: str) -> None:
    verified = sign_in(respond(with_claim(f"{XMLSOAP}/{claim}", "")))
    assert (verified.name_claim is None, verified.email is None) == (claim == "name", claim == "emailaddress")


def test_the_tenant_is_a_guid_and_compared_as_one() -> None:
    tenant = "abcdef00-1111-4111-8111-111111111111"
    document = respond(with_claim(f"{MICROSOFT}/identity/claims/tenantid", tenant.upper()))
    proven = signed_response(document, pinned(), "assertion", ENTITY_ID)
    assert check(proven, msgspec.structs.replace(EXPECTED, tenant_id=tenant), NOW).tenant_id == tenant


def test_a_value_that_was_sent_empty_among_the_groups_is_a_text() -> None:
    assert sign_in(respond(with_claim(CLAIM_GROUPS, "", "x"))).groups == ("", "x")


@pytest.mark.parametrize(
    ("before", "told"),
    [(timedelta(days=21), timedelta(days=21)), (timedelta(0), timedelta(0)), (-10 * MINUTE, timedelta(0))],
    ids=["weeks ago", "just now", "later than the assertion"],
)
def test_somebody_has_shown_who_he_is_when_entra_says_and_never_after_it_said_so(
    before: timedelta, told: timedelta
) -> None:
    """By this an app that demands a fresh login measures."""
    verified = sign_in(respond(Recipe(authenticated_at=Recipe().issued_at - before)))
    assert verified.issued_at - verified.authenticated_at == told


# Who says it, to whom.


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (Recipe(issuer=f"https://sts.windows.net/{OTHER_TENANT}/"), Reason.wrong_issuer),
        (Recipe(issuer=ISSUER.removesuffix("/")), Reason.wrong_issuer),
        (Recipe(issuer=ISSUER.upper()), Reason.wrong_issuer),
        (Recipe(issuer=f" {ISSUER}"), Reason.wrong_issuer),
        (Recipe(response_issuer=f"https://sts.windows.net/{OTHER_TENANT}/"), Reason.wrong_issuer),
        (with_claim(f"{MICROSOFT}/identity/claims/tenantid", OTHER_TENANT), Reason.wrong_tenant),
        (with_claim(f"{MICROSOFT}/identity/claims/tenantid"), Reason.wrong_tenant),
        (Recipe(audiences=()), Reason.wrong_audience),
        (Recipe(audiences=((),)), Reason.wrong_audience),
        (Recipe(audiences=(("https://www.bitabiz.com/fabrikam",),)), Reason.wrong_audience),
        (Recipe(audiences=((f"spn:{ENTITY_ID}",),)), Reason.wrong_audience),
        (Recipe(audiences=((f"{ENTITY_ID}/",),)), Reason.wrong_audience),
        (Recipe(audiences=((f" {ENTITY_ID} ",),)), Reason.wrong_audience),
        (Recipe(audiences=((ENTITY_ID,), ("https://other.example",))), Reason.wrong_audience),
        (Recipe(destination=None), Reason.wrong_destination),
        (Recipe(destination=ACS.replace("contoso", "fabrikam")), Reason.wrong_destination),
        (Recipe(destination=f"{ACS}/"), Reason.wrong_destination),
        (Recipe(recipient=None), Reason.wrong_recipient),
        (Recipe(recipient=ACS.replace("contoso", "fabrikam")), Reason.wrong_recipient),
        (Recipe(recipient=ACS.upper()), Reason.wrong_recipient),
    ],
)
def test_a_statement_for_or_by_somebody_else_is_refused(recipe: Recipe, expected: Reason) -> None:
    assert reason(respond(recipe)) is expected


def test_one_audience_among_several_of_a_restriction_is_enough() -> None:
    recipe = Recipe(audiences=(("https://other.example", ENTITY_ID), (ENTITY_ID,)))
    assert sign_in(respond(recipe)).object_id == OBJECT_ID


def test_the_wrong_audience_is_named_before_the_wrong_address() -> None:
    """What an administrator can mend is the app, not the address that follows from it (S73)."""
    other = ACS.replace("contoso", "fabrikam")
    recipe = Recipe(audiences=(("https://www.bitabiz.com/fabrikam",),), destination=other, recipient=other)
    refused = refusal(respond(recipe))
    assert (refused.reason, refused.wanted) == (Reason.wrong_audience, ENTITY_ID)
    assert refused.got == "https://www.bitabiz.com/fabrikam"


def test_another_confirmation_method_is_malformed() -> None:
    recipe = Recipe(edit=lambda document: document.replace(":cm:bearer", ":cm:sender-vouches"))
    assert reason(respond(recipe)) is Reason.malformed_response


@pytest.mark.parametrize(
    "edit",
    [('Version="2.0" IssueInstant', 'Version="1.1" IssueInstant'), ('Version="2.0" xmlns', 'Version="2.1" xmlns')],
)
def test_another_version_is_malformed(edit: tuple[str, str]) -> None:
    assert reason(respond(Recipe(edit=lambda document: document.replace(*edit)))) is Reason.malformed_response


# Which request it answers.


def test_a_login_started_in_microsoft_365_answers_no_request() -> None:
    assert sign_in(respond(Recipe(in_response_to=None))).in_response_to is None


@pytest.mark.parametrize(
    ("response", "confirmation"),
    [
        (None, FLOW),
        (FLOW, None),
        (FLOW, "_another"),
        ("_another", FLOW),
        ("", ""),
        ("1 2", "1 2"),
        ("_" * 129, "_" * 129),
    ],
)
def test_two_answers_to_what_was_asked_are_an_unknown_request(response: str | None, confirmation: str | None) -> None:
    recipe = Recipe(in_response_to=response, confirmation_in_response_to=confirmation)
    assert reason(respond(recipe)) is Reason.unknown_request


# When. Sixty seconds of clock difference are allowed at either end.


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        (Recipe(not_before=NOW + 61 * SECOND), Reason.not_yet_valid),
        (Recipe(not_before=NOW + 60 * SECOND), None),
        (Recipe(not_on_or_after=NOW - 60 * SECOND), Reason.expired),
        (Recipe(not_on_or_after=NOW - 59 * SECOND), None),
        (Recipe(confirmation_not_on_or_after=NOW - 60 * SECOND), Reason.expired),
        (Recipe(confirmation_not_on_or_after=NOW - 59 * SECOND), None),
        (Recipe(issued_at=NOW - 10 * MINUTE - SECOND), Reason.expired),
        (Recipe(issued_at=NOW - 10 * MINUTE), None),
        (Recipe(issued_at=NOW - 5 * MINUTE - SECOND, in_response_to=None), Reason.expired),
        (Recipe(issued_at=NOW - 5 * MINUTE, in_response_to=None), None),
        (Recipe(issued_at=NOW + 2 * MINUTE + SECOND), Reason.not_yet_valid),
        (Recipe(issued_at=NOW + 2 * MINUTE), None),
        (Recipe(not_on_or_after=NOW + timedelta(hours=24)), None),
        (Recipe(not_on_or_after=NOW + timedelta(hours=25)), Reason.malformed_response),
        (Recipe(confirmation_not_on_or_after=NOW + timedelta(days=3650)), Reason.malformed_response),
        (Recipe(not_before=NOW, not_on_or_after=NOW), Reason.malformed_response),
    ],
)
def test_both_validity_windows_and_the_age_are_kept(recipe: Recipe, expected: Reason | None) -> None:
    if expected is None:
        assert sign_in(respond(recipe)).object_id == OBJECT_ID
    else:
        assert reason(respond(recipe)) is expected


@pytest.mark.parametrize("missing", [' NotBefore="', ' NotOnOrAfter="'])
def test_a_window_without_an_end_is_malformed(missing: str) -> None:
    def edit(document: str) -> str:
        start = document.index(missing)
        return document[:start] + document[document.index('"', start + len(missing)) + 1 :]

    assert reason(respond(Recipe(edit=edit))) is Reason.malformed_response


def test_the_confirmation_may_not_have_a_beginning() -> None:
    recipe = Recipe(edit=lambda document: document.replace("Data ", 'Data NotBefore="2026-11-24T07:00:00Z" '))
    assert reason(respond(recipe)) is Reason.malformed_response


@pytest.mark.parametrize(
    "written",
    ["2026-11-24T08:00:00+01:00", "2026-11-24T08:00:00", "2026-11-24", "2026-13-24T08:00:00Z", "٢٠٢٦-11-24T08:00:00Z"],
)
def test_an_instant_that_is_not_plain_utc_is_malformed(written: str) -> None:
    written_before = f'NotBefore="{written}"'
    recipe = Recipe(edit=lambda document: document.replace('NotBefore="2026-11-24T07:55:00.000Z"', written_before))
    assert reason(respond(recipe)) is Reason.malformed_response


def test_an_instant_may_have_seven_digits_or_none() -> None:
    for written in ("2026-11-24T07:55:00Z", "2026-11-24T07:55:00.1234567Z"):
        edit = ('NotBefore="2026-11-24T07:55:00.000Z"', f'NotBefore="{written}"')
        assert sign_in(respond(Recipe(edit=lambda document, edit=edit: document.replace(*edit)))).object_id == OBJECT_ID  # type: ignore[misc]


# Who it is.


@pytest.mark.parametrize(
    "recipe",
    [
        with_claim(f"{MICROSOFT}/identity/claims/objectidentifier"),
        with_claim(f"{MICROSOFT}/identity/claims/objectidentifier", "anna"),
        with_claim(f"{MICROSOFT}/identity/claims/objectidentifier", f"{OBJECT_ID}\n"),
        with_claim(f"{MICROSOFT}/identity/claims/objectidentifier", OBJECT_ID, "00000000-dead-4eef-8000-000000000000"),
        with_another(f"{MICROSOFT}/identity/claims/objectidentifier", OBJECT_ID),
        with_another(f"{MICROSOFT}/identity/claims/tenantid", TENANT),
        with_another(f"{XMLSOAP}/emailaddress", "bo@contoso.com"),
        with_another(f"{XMLSOAP}/name", "bo@contoso.com"),
        Recipe(name_id=""),
        Recipe(name_id="  "),
        Recipe(name_id="a" * 257),
        Recipe(name_id="anna\N{ZERO WIDTH SPACE}@contoso.com"),
        Recipe(name_id="anna\r\n@contoso.com"),
    ],
)
def test_a_person_named_twice_or_not_at_all_is_malformed(recipe: Recipe) -> None:
    assert reason(respond(recipe)) is Reason.malformed_response


def test_an_object_id_is_read_without_regard_to_case() -> None:
    recipe = with_claim(f"{MICROSOFT}/identity/claims/objectidentifier", OBJECT_ID.upper())
    assert sign_in(respond(recipe)).object_id == OBJECT_ID


def test_claims_of_look_alike_names_mean_nothing() -> None:
    for name in (f"{MICROSOFT}/identity/claims/objectidentifier ", f"{MICROSOFT}/identity/claims/ObjectIdentifier"):
        assert sign_in(respond(with_another(name, "00000000-dead-4eef-8000-000000000000"))).object_id == OBJECT_ID


def test_a_missing_e_mail_claim_is_no_obstacle() -> None:
    assert sign_in(respond(with_claim(f"{XMLSOAP}/emailaddress"))).email is None


def test_a_hundred_and_fifty_groups_are_read() -> None:
    groups = tuple(f"{number:08d}-aaaa-4aaa-8aaa-aaaaaaaaaaaa" for number in range(150))
    assert sign_in(respond(Recipe(groups=groups))).groups == groups


def test_too_many_groups_for_a_token_are_told_as_overage() -> None:
    link = f"https://graph.windows.net/{TENANT}/users/{OBJECT_ID}/getMemberObjects"
    verified = sign_in(respond(with_another(CLAIM_GROUPS_LINK, link)))
    assert (verified.groups, verified.groups_overage) == (None, True)


def test_two_groups_claims_are_malformed() -> None:
    claims = (*Recipe().claims, (CLAIM_GROUPS, ("a",)), (CLAIM_GROUPS, ("b",)))
    assert reason(respond(Recipe(claims=claims))) is Reason.malformed_response


def test_a_missing_session_index_is_malformed() -> None:
    index = f' SessionIndex="{Recipe().assertion_id}"'
    assert reason(respond(Recipe(edit=lambda document: document.replace(index, "")))) is Reason.malformed_response


def test_in_response_mode_the_envelope_is_read_from_what_was_signed() -> None:
    assert (
        reason(respond(Recipe(signed="response", destination="http://evil.example/")), "response")
        is Reason.wrong_destination
    )
    changed = respond(Recipe(signed="response")).replace(ACS.encode(), b"http://evil.example/", 1)
    assert reason(changed, "response") is Reason.bad_signature
