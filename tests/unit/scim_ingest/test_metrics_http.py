"""What an operator sees: each request counted once, under closed labels, never under a company."""

import re
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY

from scim_ingest import metrics
from scim_ingest.protocol.attributes import BY_FIELD
from shared.errors import DomainError, ErrorCode
from shared.http.service import Service
from shared.schemas.employee import Provisioned
from tests.unit.scim_ingest.conftest import ANNA
from tests.unit.scim_ingest.directory_double import DirectoryDouble


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def requests(operation: str, result: str) -> float:
    return count("scim_requests_total", operation=operation, result=result)


def patch_of(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"Operations": list(operations)}


OFF = {"op": "Replace", "path": "active", "value": "False"}
TITLE = {"op": "replace", "path": "title", "value": "T"}


async def test_every_result_is_counted_under_its_name(http: httpx2.AsyncClient, directory: DirectoryDouble) -> None:
    steps: list[tuple[str, str, str, str, Any]] = [
        ("POST", "/Users", "user_create", "created", ANNA),
        ("POST", "/Users", "user_create", "conflict", ANNA),
        ("POST", "/Users", "user_create", "invalid", {}),
        ("GET", "/Users", "user_list", "read", None),
        ("GET", "/Users/{id}", "user_get", "read", None),
        ("GET", "/Users/x", "user_get", "not_found", None),
        ("PATCH", "/Users/{id}", "user_patch", "updated", patch_of(TITLE)),
        ("PATCH", "/Users/{id}", "user_patch", "unchanged", patch_of(TITLE)),
        ("PATCH", "/Users/{id}", "user_patch", "deactivated", patch_of(OFF)),
        ("PUT", "/Users/{id}", "user_replace", "updated", ANNA),
        ("DELETE", "/Users/{id}", "user_delete", "deleted", None),
        ("GET", "/Schemas", "schema", "read", None),
        ("GET", "/ServiceProviderConfig", "config", "read", None),
    ]
    for verb, path, operation, result, body in steps:
        before = requests(operation, result)
        employee_id = next(iter(directory.employees["firma"]), "")
        await http.request(verb, path.replace("{id}", employee_id), json=body)
        assert requests(operation, result) == before + 1, (verb, path, result)


async def test_a_stranger_and_a_fault_are_counted_as_such(http: httpx2.AsyncClient, directory: DirectoryDouble) -> None:
    before = requests("user_list", "unauthorized"), requests("user_list", "error")
    await http.get("/Users", headers={"Authorization": "Bearer wrong"})
    directory.refuse = DomainError(ErrorCode.unavailable, "Try again.")
    await http.get("/Users")
    assert (requests("user_list", "unauthorized"), requests("user_list", "error")) == (before[0] + 1, before[1] + 1)


@pytest.mark.parametrize(("outcome", "result"), [("adopted", "linked"), ("reactivated", "reactivated")])
async def test_adopting_and_reactivating_have_their_own_result(
    http: httpx2.AsyncClient,
    directory: DirectoryDouble,
    monkeypatch: pytest.MonkeyPatch,
    outcome: Any,
    result: str,
) -> None:
    provision = directory.provision_employee

    async def otherwise(request: Any) -> Provisioned:
        return Provisioned(employee=(await provision(request)).employee, outcome=outcome)

    monkeypatch.setattr(directory, "provision_employee", otherwise)
    before = requests("user_create", result)
    assert (await http.post("/Users", json=ANNA)).status_code == 201
    assert requests("user_create", result) == before + 1


async def test_dialects_attributes_and_refusals_are_counted(http: httpx2.AsyncClient) -> None:
    user = (await http.post("/Users", json=ANNA)).json()

    def seen() -> list[float]:
        return [
            count("scim_patch_operations_total", op="replace", dialect="entra_string_bool"),
            count("scim_attribute_changes_total", attribute="active"),
            count("scim_attribute_changes_total", attribute="manager"),
            count("scim_attribute_changes_total", attribute="other"),
            count("scim_rejections_total", reason="invalid_filter"),
            count("scim_deactivations_alone_total"),
        ]

    before = seen()
    patch = patch_of(
        OFF, {"op": "Add", "path": "manager", "value": "m"}, {"op": "Add", "path": "displayName", "value": "A"}
    )
    await http.patch(f"/Users/{user['id']}", json=patch)
    await http.get("/Users", params={"filter": "x"})
    await http.patch(f"/Users/{user['id']}", json=patch_of(OFF, {"op": "Replace", "path": "title", "value": 1.5}))
    assert [after - earlier for after, earlier in zip(seen(), before, strict=True)] == [2, 1, 1, 1, 1, 1]


async def test_routes_are_templates_and_no_label_names_a_company(service: Service, http: httpx2.AsyncClient) -> None:
    user = (await http.post("/Users", json=ANNA)).json()
    await http.get(f"/Users/{user['id']}")
    await http.get("/Schemas")
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{service.ops_port}", verify=False) as ops:
        text = (await ops.get("/metrics")).text
    for route in ("/scim/v2/{company}/Users", "/scim/v2/{company}/Users/{id}", "/scim/v2/{company}/Schemas"):
        assert f'http_route="{route}"' in text
    assert not re.search(r"\bfirma\b", text), "needs_confirmation is no company"
    assert user["id"] not in text


def test_the_attribute_labels_are_fields_of_the_table() -> None:
    assert set(metrics.ATTRIBUTE_LABELS) <= set(BY_FIELD)
    assert len(metrics.ATTRIBUTE_LABELS) == 11
