"""What several journeys begin with."""

from collections.abc import AsyncIterator

import pytest

from tests.support.browser import Browser
from tests.support.company import Company
from tests.support.setup_admin import SetupAdmin, signed_in


@pytest.fixture
async def sara(company: Company, browser: Browser) -> AsyncIterator[SetupAdmin]:
    """The company's Setup admin, who approves for herself."""
    person = company.hire("sara")
    await company.cycle()
    async with signed_in(company, browser, person, roles=["setup_admin", "self_approver"]) as admin:
        yield admin
