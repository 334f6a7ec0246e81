"""The issuer of an Entra tenant, byte for byte."""

import pytest

from shared.entra_issuer import audience_key, entra_issuer

TENANT = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("issuer", "keys"),
    [
        (
            f"https://login.microsoftonline.com/{TENANT}/v2.0",
            f"https://login.microsoftonline.com/{TENANT}/discovery/v2.0/keys",
        ),
        (
            f"https://login.microsoftonline.us/{TENANT}/v2.0",
            f"https://login.microsoftonline.us/{TENANT}/discovery/v2.0/keys",
        ),
        (f"http://127.0.0.1:8090/{TENANT}/v2.0", f"http://127.0.0.1:8090/{TENANT}/discovery/v2.0/keys"),
        (f"http://localhost/{TENANT}/v2.0", f"http://localhost/{TENANT}/discovery/v2.0/keys"),
    ],
)
def test_keys_are_beside_the_issuer(issuer: str, keys: str) -> None:
    found = entra_issuer(issuer)
    assert found is not None
    assert (found.text, found.keys_url, found.tenant_id) == (issuer, keys, TENANT)


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        f"https://sts.windows.net/{TENANT}/",
        f"https://login.microsoftonline.com/{TENANT}",
        f"https://login.microsoftonline.com/{TENANT}/v2.0/",
        f"https://login.microsoftonline.com/{TENANT}/v2.0\n",
        f"https://login.microsoftonline.com/{TENANT}/v2x0",
        f"https://login.microsoftonline.com/{TENANT.replace('1', 'A')}/v2.0",
        "https://login.microsoftonline.com/common/v2.0",
        f"https://login.microsoftonline.com/../{TENANT}/v2.0",
        f"https://login.microsoftonline.com:443/{TENANT}/v2.0",
        f"https://login.microsoftonline.com@evil.example/{TENANT}/v2.0",
        f"https://login.microsoftonline.com\\.evil.example/{TENANT}/v2.0",
        f"HTTPS://login.microsoftonline.com/{TENANT}/v2.0",
        f"http://login.microsoftonline.com/{TENANT}/v2.0",
        f"https://127.0.0.1/{TENANT}/v2.0",
        f"https://login.microsoftonline.com/{TENANT}/v2.0?x",
        f"https://lögin.microsoftonline.com/{TENANT}/v2.0",
    ],
)
def test_what_is_not_one(issuer: str) -> None:
    assert entra_issuer(issuer) is None


def test_audiences_are_compared_without_default_and_in_nothing_else_relaxed() -> None:
    assert audience_key("api://x/.default") == audience_key("api://x") == "api://x"
    assert len({audience_key(one) for one in ("api://x", "x", "API://x", "api://x/", "api://x/default")}) == 5
