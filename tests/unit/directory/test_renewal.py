"""What the list of certificates says comes next: the order in which nobody is kept out."""

from datetime import UTC, datetime, timedelta

import pytest

from directory.cli.renewal import next_step
from shared.schemas.signing import SigningCertificate, SigningState

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def certificate(name: str, state: SigningState, days: float) -> SigningCertificate:
    return SigningCertificate(
        fingerprint=name * 64,
        thumbprint=name.upper() * 40,
        subject="CN=Microsoft Azure Federated SSO Certificate",
        not_before=NOW - timedelta(days=1000),
        not_after=NOW + timedelta(days=days),
        added_at=NOW - timedelta(days=1000),
        last_signed_at=None if state == "staged" else NOW,
        state=state,
    )


@pytest.mark.parametrize(
    ("certificates", "said"),
    [
        ([], None),
        ([certificate("a", "staged", 900)], None),
        ([certificate("a", "in_use", 61)], None),
        ([certificate("a", "in_use", 60)], "New Certificate > Save, and leave it inactive"),
        ([certificate("a", "in_use", -3)], "directory company certificate contoso --add FILE"),
        ([certificate("a", "in_use", 10), certificate("b", "staged", 30)], "New Certificate"),
        (
            [certificate("a", "in_use", 10), certificate("b", "staged", 900)],
            f"beside {'B' * 40} > Make certificate active",
        ),
        (
            [certificate("b", "in_use", 900), certificate("a", "retiring", 10)],
            f"directory company certificate contoso --remove {'a' * 16}",
        ),
    ],
    ids=["none", "unused", "lasting", "ending", "ended", "staged-ends-too", "staged", "retiring"],
)
def test_the_next_step_of_a_renewal_is_named(certificates: list[SigningCertificate], said: str | None) -> None:
    """S60."""
    step = next_step("contoso", certificates, NOW)
    assert step is None if said is None else step is not None and said in step
