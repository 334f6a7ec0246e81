"""What an assertion calls somebody beside what we call him, and what of it the company is told."""

import pytest

from directory.employees.keys import search_key
from directory.findings.catalogue import CLAIMS, FindingKind
from directory.logins.names import Difference, Names, differences
from directory.logins.telling import CHANGE
from directory.traces.telling import explanation

UPN, MAIL, OTHER, GUEST = "ah123@contoso.com", "anna.holm@contoso.com", "E-1234", "anna_gmail.com#ext#@contoso.example"
PAIRWISE = search_key("a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V")
BOTH_UPN, UPN_AND_MAIL = (UPN, UPN), (UPN, MAIL)
"""Login name and e-mail, as Entra's default mapping makes them; and with mail mapped to the e-mail."""


@pytest.mark.parametrize(
    ("name_id", "name_claim", "email_claim", "ours", "told"),
    [
        # Everything agrees.
        (UPN, UPN, UPN, BOTH_UPN, []),
        (UPN, UPN, None, BOTH_UPN, []),
        (UPN, None, None, BOTH_UPN, []),
        (MAIL, UPN, MAIL, UPN_AND_MAIL, []),
        (MAIL, None, None, UPN_AND_MAIL, []),
        # Principal name and mail differ in Entra (A8): the mapping, or the claim, or both.
        (UPN, UPN, MAIL, BOTH_UPN, ["email_not_mail"]),
        (MAIL, UPN, MAIL, BOTH_UPN, ["email_not_mail"]),
        (UPN, UPN, MAIL, UPN_AND_MAIL, ["name_id_not_email"]),
        (UPN, None, MAIL, UPN_AND_MAIL, ["name_id_not_email"]),
        (UPN, UPN, None, UPN_AND_MAIL, ["name_id_not_email"]),
        (OTHER, UPN, MAIL, UPN_AND_MAIL, ["name_id_not_email"]),
        (UPN, UPN, MAIL, (MAIL, MAIL), ["name_id_not_email"]),
        (OTHER, UPN, None, BOTH_UPN, ["name_id_not_email"]),
        # The source of NameID is empty.
        (PAIRWISE, UPN, None, BOTH_UPN, ["name_id_pairwise"]),
        (PAIRWISE, UPN, UPN, BOTH_UPN, ["name_id_pairwise"]),
        (PAIRWISE, UPN, MAIL, BOTH_UPN, ["email_not_mail", "name_id_pairwise"]),
        # Renamed in Entra; provisioning comes within the hour, and no setting is wrong.
        ("new@contoso.com", "new@contoso.com", "new@contoso.com", BOTH_UPN, ["not_yet_provisioned"]),
        ("new@contoso.com", "new@contoso.com", None, BOTH_UPN, ["not_yet_provisioned"]),
        # A guest's name is mangled by Entra.
        (GUEST, GUEST, "anna@gmail.com", ("anna@gmail.com", "anna@gmail.com"), []),
        ("anna@gmail.com", GUEST, "anna@gmail.com", ("anna@gmail.com", "anna@gmail.com"), []),
        (GUEST, GUEST, None, ("anna@gmail.com", "anna@gmail.com"), []),
        (GUEST, GUEST, "anna@other.example", ("anna@gmail.com", "anna@gmail.com"), ["email_not_mail"]),
    ],
)  # fmt: skip
def test_what_differs_names_the_setting_to_change(
    name_id: str, name_claim: str | None, email_claim: str | None, ours: tuple[str, str], told: list[str]
) -> None:
    """S89, A8: principal name, mail and NameID of one person, against login name and e-mail."""
    names = Names(*(search_key(one) if one else None for one in (name_id, name_claim, email_claim)))  # type: ignore[arg-type]
    assert differences(names, *map(search_key, ours)) == tuple(Difference(one) for one in told)


@pytest.mark.parametrize(
    ("name_id", "is_one"),
    [
        (PAIRWISE, True),
        (PAIRWISE + "=", True),
        (PAIRWISE[:-1], False),
        (PAIRWISE[:30] + "@contoso.com", False),
        (PAIRWISE + "@contoso.com", False),
        ("x@" + PAIRWISE, False),
        ("0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef", False),
    ],
)
def test_an_identifier_that_entra_made_up_is_known_by_its_shape(name_id: str, is_one: bool) -> None:
    assert Names(name_id, None, None).is_pairwise == is_one


def test_whom_an_assertion_may_mean_is_looked_for_by_each_of_its_names_once() -> None:
    assert Names(UPN, UPN, MAIL).keys == sorted([UPN, MAIL])
    assert Names(UPN, None, None).keys == [UPN]


def test_every_finding_about_claims_names_the_very_setting() -> None:
    """S89: the exact claim path, by the names of Entra's pages."""
    assert CHANGE.keys() == CLAIMS
    for kind in CLAIMS:
        attribute = CHANGE[kind].rpartition("Source attribute: ")[2]
        assert "Enterprise applications > BitaBIZ > " in CHANGE[kind]
        assert f"ource attribute {attribute}" in kind.meaning


def test_every_difference_and_finding_is_explained_in_both_languages() -> None:
    """S90: a stable code, Danish and English; S89: the exact place in Entra."""
    for code in {*Difference, *CLAIMS}:
        said = explanation(code).said
        assert said["da"].title != said["en"].title != code
        for text in said.values():
            assert all((text.title, text.what, text.remedy))
            if code in CLAIMS:
                kind = FindingKind[code]
                assert f"ource attribute {CHANGE[kind].rpartition(': ')[2]}" in text.remedy
