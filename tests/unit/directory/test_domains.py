"""When two spellings are one e-mail domain."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directory.companies.domains import domain_key, domain_of

SMORREBROD = "xn--smrrebrd-64af.dk"


@pytest.mark.parametrize(
    ("spelled", "key"),
    [
        ("contoso.com", "contoso.com"),
        ("Contoso.COM", "contoso.com"),
        ("contoso.com.", "contoso.com"),
        (" contoso.com ", "contoso.com"),
        ("smørrebrød.dk", SMORREBROD),
        ("SMØRREBRØD.dk.", SMORREBROD),
        ("smo\u0338rrebro\u0338d.dk".replace("o\u0338", "ø"), SMORREBROD),
        ("a\u030arhus.dk", domain_key("århus.dk")),
        (SMORREBROD.upper(), SMORREBROD),
        ("contoso\u3002com", "contoso.com"),
        ("ｃontoso.com", "contoso.com"),
        # IDNA 2003 would make one domain of these two, which are two owners'.
        ("straße.de", "xn--strae-oqa.de"),
        ("strasse.de", "strasse.de"),
        # A look-alike is another domain.
        ("cont\u043eso.com", "xn--contso-zqf.com"),
        ("mail.contoso.com", "mail.contoso.com"),
    ],
)
def test_spellings_of_one_domain_are_one_and_others_are_not(spelled: str, key: str) -> None:
    assert domain_key(spelled) == key


@pytest.mark.parametrize(
    "text",
    ["", ".", "localhost", "contoso", "contoso..com", "contoso.com..", "-a.com", "a_b.com", "a b.com", "a@b.com", "xn--.dk",
     "\ud800.dk", "a" * 64 + ".com", "a." * 127 + "com", "a.com/b", "\u0661.\u0661"],
)  # fmt: skip
def test_what_is_no_domain_is_none(text: str) -> None:
    assert domain_key(text) is None


@settings(deadline=None)
@given(st.text(max_size=300))
def test_a_key_is_its_own_key_and_plain(text: str) -> None:
    key = domain_key(text)
    assert key is None or (domain_key(key) == key and key.isascii() and key == key.lower())


@pytest.mark.parametrize(
    "address",
    ["anna@contoso.com", "anna+holidays@Contoso.com", '"a@b"@contoso.com.', "nobody@contoso.com", "@contoso.com"],
)
def test_an_address_is_of_what_stands_after_the_last_at(address: str) -> None:
    assert domain_of(address) == "contoso.com"
