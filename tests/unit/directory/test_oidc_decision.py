"""What becomes of codes and refresh tokens that are not simply good."""

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

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NEXT, FORMER, OLD = b"next", b"former", b"old"
CODE = CodeRow("portal", False, NOW + SECOND, True)
FAMILY = FamilyRow("portal", NEXT, FORMER, NOW, True)


@pytest.mark.parametrize(
    ("row", "client_id", "expected"),
    [
        (None, "portal", Refused("unknown")),
        (CODE, "phone", Refused("other_client")),
        (replace(CODE, redeemed=True), "phone", Refused("other_client")),
        (replace(CODE, redeemed=True), "portal", Refused("reused", ends=True)),
        (replace(CODE, redeemed=True, expires_at=NOW - SECOND), "portal", Refused("reused", ends=True)),
        (replace(CODE, expires_at=NOW), "portal", Refused("expired")),
        (replace(CODE, lives=False), "portal", Refused("ended")),
        (replace(CODE, lives=False, redeemed=True), "portal", Refused("reused", ends=True)),
        (CODE, "portal", Refused("wrong_proof", ends=True)),
    ],
)
def test_a_code_that_was_used_or_comes_with_a_wrong_proof_ends_what_it_stands_for(
    row: CodeRow | None, client_id: str, expected: Refused
) -> None:
    assert code_not_redeemed(row, client_id, NOW) == expected


@pytest.mark.parametrize(
    ("row", "client_id", "presented", "successors", "after", "expected"),
    [
        (None, "portal", FORMER, [NEXT], SECOND, Refused("unknown")),
        (FAMILY, "phone", FORMER, [NEXT], SECOND, Refused("other_client")),
        (FAMILY, "phone", OLD, [NEXT], SECOND, Refused("other_client")),
        (replace(FAMILY, lives=False), "portal", FORMER, [NEXT], SECOND, Refused("ended")),
        (replace(FAMILY, lives=False), "portal", OLD, [NEXT], SECOND, Refused("ended")),
        (FAMILY, "portal", NEXT, [b"x"], SECOND, Refused("ended")),
        (FAMILY, "portal", OLD, [NEXT], SECOND, Refused("reused", ends=True)),
        (replace(FAMILY, former_sha256=None), "portal", OLD, [NEXT], SECOND, Refused("reused", ends=True)),
        (FAMILY, "portal", FORMER, [NEXT], REPEATED_WITHIN, Repeated(0)),
        (FAMILY, "portal", FORMER, [b"x", NEXT], SECOND, Repeated(1)),
        (FAMILY, "portal", FORMER, [NEXT], REPEATED_WITHIN + SECOND, Refused("reused", ends=True)),
        (FAMILY, "portal", FORMER, [b"x"], SECOND, Refused("too_late")),
    ],
)
def test_a_refresh_token_is_repeated_once_more_for_seconds_and_ends_its_family_otherwise(
    row: FamilyRow | None,
    client_id: str,
    presented: bytes,
    successors: list[bytes],
    after: timedelta,
    expected: Refused | Repeated,
) -> None:
    assert token_not_next(row, client_id, presented, successors, NOW + after) == expected


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted(None, None, None), None),
        (Wanted("contoso", "emp_a", NOW), None),
        (Wanted("fabrikam", "emp_b", NOW + SECOND), "other_company"),
        (Wanted("contoso", "emp_b", NOW + SECOND), "other_person"),
        (Wanted("contoso", "emp_a", NOW + SECOND), "signed_in_too_early"),
    ],
)
def test_a_code_is_for_whom_the_app_wants(wanted: Wanted, reason: str | None) -> None:
    assert code_refusal(wanted, company="contoso", employee_id="emp_a", authenticated_at=NOW) == reason
