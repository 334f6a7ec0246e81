"""What the list of certificates says comes next: the order in which nobody is kept out."""

from datetime import UTC, datetime, timedelta

import pytest

from directory.cli.renewal import looks_told, next_step
from shared.schemas.metadata import MetadataLooks
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


@pytest.mark.parametrize(
    ("looks", "said"),
    [
        (MetadataLooks(use="off"), "(off): not looked at; what is new in Entra is pasted here."),
        (MetadataLooks(use="adopt"), "(adopt): not looked at: the company is closed, or has no login URL."),
        (MetadataLooks(use="propose", due_at=NOW), "looked at in a moment, for the first time."),
        (
            MetadataLooks(use="propose", due_at=NOW + timedelta(minutes=55), looked_at=NOW),
            "looked at 2026-11-26 12:00; the next look is due 2026-11-26 12:55.",
        ),
        (
            MetadataLooks(use="adopt", due_at=NOW, looked_at=NOW, failing_since=NOW, failure="timeout"),
            "not read since 2026-11-26 12:00: timeout. What is trusted stays in use",
        ),
    ],
    ids=["off", "closed", "first", "well", "failing"],
)
def test_how_the_looks_at_the_metadata_go_is_said(looks: MetadataLooks, said: str) -> None:
    assert said in looks_told(looks)
