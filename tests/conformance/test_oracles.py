"""Two independent conformance suites against the running service; both must come out clean.

scim2-tester exercises every attribute that /Schemas publishes; scim-sanity walks the life of a user in strict mode.
"""

import asyncio
from typing import Any

import httpx2
import pytest
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server
from scim_sanity.probe.runner import run_probe_api

from tests.conformance.conftest import Endpoint

# A group may have tens of thousands of members, so a PATCH is answered without them: 204 (RFC 7644 section 3.5.2; Microsoft's
# guide asks for it). And nobody is a member who is no user: the suite adds a made-up id.
OTHERWISE_BY_RIGHT = {
    "Expected HTTP 200, got 204 (RFC 7644 §3.3); Response body is empty",
    "Expected 200, got 204",
    "Expected 200, got 400",
}


def _scim2_tester(endpoint: Endpoint) -> list[Any]:
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    with httpx2.Client(base_url=endpoint.tenant_url, verify=False, headers=headers) as client:
        return list(check_server(SyncSCIMClient(client)))


async def test_scim2_tester_finds_nothing(endpoint: Endpoint) -> None:
    results = await asyncio.to_thread(_scim2_tester, endpoint)

    wrong = [
        f"{result.status.name}: {result.title}: {result.reason}"
        for result in results
        if result.status not in (Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE)
    ]
    assert wrong == []
    # Every published attribute was added, replaced and (where allowed) removed: the suite really ran.
    assert len(results) > 60


@pytest.mark.parametrize("profile", [None, "entra"])
async def test_scim_sanity_finds_nothing(endpoint: Endpoint, profile: str | None) -> None:
    report = await asyncio.to_thread(
        run_probe_api, endpoint.tenant_url, token=endpoint.token, strict=True, profile=profile
    )

    wrong = [
        result["name"]
        for result in report["results"]
        if result["status"] not in ("PASS", "SKIP", "pass", "skip") and result["message"] not in OTHERWISE_BY_RIGHT
    ]
    assert wrong == []
    assert report["summary"]["passed"] >= 18
