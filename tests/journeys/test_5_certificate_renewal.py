"""Journey 5: a certificate is renewed, and nobody is locked out."""

import logging
from datetime import UTC, datetime

import pytest

from directory import metrics
from directory.companies.certificates import read_certificates
from directory.database import statement
from shared.telemetry.logs import JsonFormatter
from tests.support.browser import Browser
from tests.support.company import Company

_FIRST_USES = statement(
    "events.test_first_uses",
    "select changes -> 'fingerprint' ->> 'after' as fingerprint from events "
    "where company_id = $1 and kind = 'certificate.first_used' order by sequence",
)


async def test_renewal_in_our_order_refuses_nobody(company: Company, browser: Browser) -> None:
    """A29: the new certificate is trusted beside the old one before Entra makes it active."""
    anna = company.hire()
    await company.cycle()
    old = company.app.certificates[0]
    assert (await company.sign_in(browser, anna)).status == 200

    new = company.tenant.new_certificate(company.app)
    await company.apply()
    assert (await company.sign_in(browser, anna)).status == 200, "still signed by the old one"
    company.tenant.activate_certificate(company.app, new.thumbprint)
    assert (await company.sign_in(browser, anna)).status == 200, "signed by the new one"

    await company.apply(sso__certificates=[new.pem])
    refused = await company.post_response(browser, company.recipe(anna).signed_with(old), accept="application/json")
    assert refused.json["reason"] == "unknown_signer"
    assert (await company.sign_in(browser, anna)).status == 200


async def test_a_new_signer_is_known_as_soon_as_it_is_trusted(company: Company, browser: Browser) -> None:
    """S63: the connection is remembered, yet the first login with the new certificate succeeds without restart."""
    anna = company.hire()
    await company.cycle()
    assert (await company.sign_in(browser, anna)).status == 200
    company.tenant.new_certificate(company.app, active=True)
    refused = await company.post_response(browser, company.recipe(anna), accept="application/json")
    assert refused.json["reason"] == "unknown_signer"

    await company.apply()

    browser.forget_cookies()
    page = await company.sign_in(browser, anna)
    assert page.status == 200


async def test_the_last_use_of_each_certificate_is_known(company: Company, browser: Browser) -> None:
    """S60."""
    anna = company.hire()
    await company.cycle()
    await company.apply()
    shown = await company.stack.show(company.name)
    assert [entry["last_signed_at"] for entry in shown["sso"]["certificates"]] == [None]
    await company.sign_in(browser, anna)
    shown = await company.stack.show(company.name)
    assert shown["sso"]["certificates"][0]["last_signed_at"] is not None


async def first_uses(company: Company) -> list[str]:
    """Fingerprints, as the history tells them."""
    async with company.stack.database.scope_for_name(company.name).transaction() as tx:
        return [row["fingerprint"] for row in await tx.fetch(_FIRST_USES, tx.company_id)]


async def test_the_first_sign_in_by_each_certificate_is_told_once(
    company: Company, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    """A key that signs for the first time is a renewal that somebody knows of, or a stolen one's."""
    anna = company.hire()
    await company.cycle()
    await company.apply()
    caplog.set_level(logging.INFO, logger="directory")
    before = metrics.CERTIFICATES_FIRST_USED._value.get()

    refused = await company.post_response(browser, company.recipe(company.hire("nobody")))
    assert refused.status == 403
    assert await first_uses(company) == [], "whoever is not let in is not told of"
    await company.sign_in(browser, anna)
    [old] = await first_uses(company)
    await company.sign_in(browser, anna)
    assert await first_uses(company) == [old]

    new = company.tenant.new_certificate(company.app, active=True)
    await company.apply()
    assert await first_uses(company) == [old], "trusted is not used"
    await company.sign_in(browser, anna)
    await company.sign_in(browser, anna)
    used = [old, read_certificates(new.pem, datetime.now(UTC))[0].fingerprint]
    assert await first_uses(company) == used
    lines = [JsonFormatter("directory").format(record) for record in caplog.records]
    told = [line for line in lines if '"event":"certificate_first_used"' in line]
    assert [[one in line for one in used] for line in told] == [[True, False], [False, True]]
    assert metrics.CERTIFICATES_FIRST_USED._value.get() == before + 2


async def test_a_certificate_of_the_other_company_in_the_same_tenant_opens_nothing(
    company: Company, neighbour: Company, browser: Browser
) -> None:
    """S71: same issuer, same tenant, another app and certificate."""
    anna = company.hire()
    await company.cycle()
    forged = company.recipe(anna).signed_with(neighbour.app.certificates[0])
    refused = await company.post_response(browser, forged, accept="application/json")
    assert refused.json["reason"] == "unknown_signer"


async def test_a_good_response_for_one_company_is_refused_at_the_other(
    company: Company, neighbour: Company, browser: Browser
) -> None:
    """S73: even where both trust the same key, the audience decides."""
    anna = company.hire("anna")
    await company.cycle()
    await neighbour.apply(sso__certificates=[company.app.certificates[0].pem])
    response = company.recipe(anna, destination=neighbour.acs_url, recipient=neighbour.acs_url)
    refused = await neighbour.post_response(browser, response, accept="application/json")
    assert refused.json["reason"] == "wrong_audience"
