"""What becomes of a code that is asked for, and of a code or refresh token that was not simply good."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from directory.oidc.decision import (
    REPEATED_WITHIN,
    CodeRow,
    FamilyRow,
    Refused,
    Repeated,
    Wanted,
    code_not_redeemed,
    code_refusal,
    token_not_next,
)

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
ANYBODY = Wanted(company=None, employee_id=None, signed_in_after=None)


def refusal(wanted: Wanted) -> str | None:
    """Anna of Contoso signed in at `NOW`."""
    return code_refusal(wanted, company="contoso", employee_id="anna", authenticated_at=NOW)


@pytest.mark.parametrize(
    "wanted",
    [
        ANYBODY,
        replace(ANYBODY, company="contoso"),
        replace(ANYBODY, employee_id="anna"),
        replace(ANYBODY, signed_in_after=NOW),
        Wanted(company="contoso", employee_id="anna", signed_in_after=NOW - MOMENT),
    ],
)
def test_who_is_signed_in_as_the_app_wants_gets_a_code(wanted: Wanted) -> None:
    assert refusal(wanted) is None


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (replace(ANYBODY, company="fabrikam"), "other_company"),
        (replace(ANYBODY, employee_id="bo"), "other_person"),
        (replace(ANYBODY, signed_in_after=NOW + MOMENT), "signed_in_too_early"),
        (Wanted(company="fabrikam", employee_id="anna", signed_in_after=NOW), "other_company"),
        (Wanted(company="contoso", employee_id="bo", signed_in_after=NOW), "other_person"),
        (Wanted(company="contoso", employee_id="anna", signed_in_after=NOW + MOMENT), "signed_in_too_early"),
    ],
)
def test_who_is_signed_in_otherwise_gets_none(wanted: Wanted, reason: str) -> None:
    assert refusal(wanted) == reason


CODE = CodeRow(client_id="portal", redeemed=False, expires_at=NOW + MOMENT)


@pytest.mark.parametrize(
    ("row", "client_id", "becomes"),
    [
        (None, "portal", Refused("unknown")),
        (CODE, "portal", Refused("wrong_proof", ends=True)),
        (replace(CODE, redeemed=True), "portal", Refused("reused", ends=True)),
        # Used twice is used twice, however late.
        (replace(CODE, redeemed=True, expires_at=NOW), "portal", Refused("reused", ends=True)),
        (replace(CODE, expires_at=NOW), "portal", Refused("expired")),
        # What another client does with it ends nothing of the client's it was given to.
        (CODE, "phone", Refused("other_client")),
        (replace(CODE, redeemed=True), "phone", Refused("other_client")),
        (replace(CODE, expires_at=NOW), "phone", Refused("other_client")),
    ],
)
def test_a_code_that_did_not_do_is_told_why_and_ends_what_it_gave_where_it_was_misused(
    row: CodeRow | None, client_id: str, becomes: Refused
) -> None:
    """RFC 6749 section 4.1.2; RFC 9700 section 4.5."""
    assert code_not_redeemed(row, client_id, NOW) == becomes


NEXT, FORMER, OLDER = b"n" * 32, b"f" * 32, b"o" * 32
FAMILY = FamilyRow(
    client_id="portal", refresh_sha256=NEXT, former_sha256=FORMER, refreshed_at=NOW - REPEATED_WITHIN, lives=True
)
REUSED = Refused("reused", ends=True)


def presented(token: bytes, family: FamilyRow | None = FAMILY, *, client_id: str = "portal") -> Refused | Repeated:
    return token_not_next(family, client_id, token, [b"x" * 32, NEXT], NOW)


def test_the_former_token_gets_the_same_successor_once_more_within_the_grace() -> None:
    assert presented(FORMER) == Repeated(1)
    assert presented(FORMER, replace(FAMILY, refreshed_at=NOW)) == Repeated(1)


def test_after_the_grace_it_ends_the_family() -> None:
    """RFC 9700 section 4.14.2."""
    assert presented(FORMER, replace(FAMILY, refreshed_at=NOW - REPEATED_WITHIN - MOMENT)) == REUSED


@pytest.mark.parametrize("refreshed_at", [NOW, NOW - timedelta(days=1)])
def test_an_older_token_ends_the_family_at_once(refreshed_at: datetime) -> None:
    assert presented(OLDER, replace(FAMILY, refreshed_at=refreshed_at)) == REUSED


def test_a_token_of_a_family_that_was_never_refreshed_repeats_nothing() -> None:
    fresh = replace(FAMILY, former_sha256=None, refreshed_at=None)
    assert presented(OLDER, fresh) == REUSED
    assert presented(FORMER, replace(FAMILY, refreshed_at=None)) == REUSED


def test_the_next_token_of_a_family_that_has_ended_meanwhile_is_ended_and_so_is_any_other() -> None:
    assert presented(NEXT) == Refused("ended")
    over = replace(FAMILY, lives=False)
    assert [presented(token, over) for token in (NEXT, FORMER, OLDER)] == [Refused("ended")] * 3


def test_a_token_of_another_client_is_refused_and_ends_nothing() -> None:
    for family in (FAMILY, replace(FAMILY, lives=False)):
        for token in (NEXT, FORMER, OLDER):
            assert presented(token, family, client_id="phone") == Refused("other_client")


def test_a_token_of_no_family_is_unknown() -> None:
    assert presented(FORMER, None) == Refused("unknown")


def test_a_successor_that_the_keys_do_not_make_any_more_comes_too_late_and_ends_nothing() -> None:
    assert token_not_next(FAMILY, "portal", FORMER, [b"x" * 32], NOW) == Refused("too_late")
