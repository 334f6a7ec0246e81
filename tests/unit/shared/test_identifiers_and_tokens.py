"""Identifiers and the secrets we issue."""

import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ids import (
    CompanyId,
    TokenId,
    employee_from_text,
    employee_text,
    entra_object_id,
    new_employee_id,
    new_uuid7,
    token_from_text,
    token_text,
)
from shared.tokens import company_of_token, new_company_token, new_scim_token, sha256


def test_an_employee_id_survives_its_text_form() -> None:
    employee_id = new_employee_id()
    assert employee_from_text(employee_text(employee_id)) == employee_id


@pytest.mark.parametrize(
    "text",
    ["", "emp_", "emp_xyz", "5171a35d82074e068ce2", "emp_" + "0" * 31, "emp_" + "A" * 32, "emp_" + "0" * 32 + "\n"],
)
def test_what_is_not_an_employee_id_is_none(text: str) -> None:
    assert employee_from_text(text) is None


def test_token_ids_and_employee_ids_are_not_exchangeable() -> None:
    assert token_from_text(employee_text(new_employee_id())) is None
    assert employee_from_text(token_text(TokenId(new_uuid7()))) is None


def test_ids_are_version_7_and_in_the_order_of_their_creation() -> None:
    first = new_uuid7()
    time.sleep(0.002)
    second = new_uuid7()
    assert first.version == second.version == 7
    assert first.variant == uuid.RFC_4122
    assert first < second


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef", True),
        ("0A21F0F2-8D2A-4F8E-BF98-7363C4AED4EF", True),
        ("jyoung", False),
        ("0a21f0f28d2a4f8ebf987363c4aed4ef", False),
        (None, False),
    ],
)
def test_an_external_id_is_an_object_id_only_when_it_looks_like_one(text: str | None, is_one: bool) -> None:
    assert (entra_object_id(text) is not None) is is_one


def test_a_company_token_leads_to_its_company_and_is_never_the_same_twice() -> None:
    company = CompanyId(uuid.uuid4())
    first, second = new_company_token(company), new_company_token(company)
    assert company_of_token(first) == company_of_token(second) == company
    assert first != second


@given(st.text(max_size=80))
def test_no_text_makes_reading_a_company_token_fail(text: str) -> None:
    company_of_token(text)
    sha256(text)


def test_scim_tokens_have_256_random_bits() -> None:
    tokens = {new_scim_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(len(token.removeprefix("idgw_")) == 43 for token in tokens)
