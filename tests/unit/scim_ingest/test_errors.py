"""The table from directory's refusals to SCIM's, in full."""

import pytest

from scim_ingest.protocol.errors import ERROR_SCHEMA, ScimError, from_domain, no_token, token_refused
from shared.errors import DomainError, ErrorCode

TABLE = {
    ErrorCode.not_found: (404, None),
    ErrorCode.login_taken: (409, "uniqueness"),
    ErrorCode.email_taken: (409, "uniqueness"),
    ErrorCode.external_id_taken: (409, "uniqueness"),
    ErrorCode.already_exists: (409, "uniqueness"),
    ErrorCode.needs_confirmation: (409, "uniqueness"),
    ErrorCode.invalid_value: (400, "invalidValue"),
    ErrorCode.invalid_request: (500, None),
    ErrorCode.unauthorized: (401, None),
    ErrorCode.not_allowed: (403, None),
    ErrorCode.held: (503, None),
    ErrorCode.version_differs: (412, None),
    ErrorCode.not_conformant: (400, "invalidSyntax"),
    ErrorCode.unavailable: (503, None),
    ErrorCode.wrong_caller: (503, None),
}


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_has_its_answer(code: ErrorCode) -> None:
    error = from_domain(DomainError(code, "Because."))
    assert (error.status, error.scim_type) == TABLE[code]
    body = error.body()
    assert body["status"] == str(error.status)
    assert body["schemas"] == [ERROR_SCHEMA]
    assert isinstance(body["detail"], str)
    assert body["detail"]


def test_a_field_is_named_by_its_scim_path() -> None:
    error = from_domain(DomainError(ErrorCode.email_taken, "'a@b.dk' belongs to another employee.", field="email"))
    assert error.detail == "emails[type eq \"work\"].value: 'a@b.dk' belongs to another employee."
    error = from_domain(DomainError(ErrorCode.login_taken, "userName 'a' is taken.", field="login_name"))
    assert error.detail == "userName 'a' is taken."
    assert from_domain(DomainError(ErrorCode.invalid_value, "Bad.", field="no_such_field")).detail == "Bad."


def test_more_than_one_answer_should_hold_is_for_the_sender_to_mend() -> None:
    error = from_domain(DomainError(ErrorCode.invalid_request, "Ask for fewer groups at once.", field="limit"))
    assert (error.status, error.scim_type, error.detail) == (400, "tooMany", "Ask for fewer groups at once.")


def test_what_directory_says_of_a_missing_user_or_a_token_does_not_reach_the_sender() -> None:
    assert from_domain(DomainError(ErrorCode.not_found, "of company B")).detail == "No user has this id."
    assert from_domain(DomainError(ErrorCode.unauthorized, "unknown company")).body() == token_refused().body()
    assert "version" not in from_domain(DomainError(ErrorCode.invalid_request, "version skew")).detail


def test_unavailable_says_when_to_come_back_and_401_how_to_sign_in() -> None:
    assert from_domain(DomainError(ErrorCode.unavailable, "x")).headers == {"Retry-After": "5"}
    assert token_refused().headers["WWW-Authenticate"].startswith("Bearer")
    assert no_token().headers == {"WWW-Authenticate": "Bearer"}


def test_scim_type_is_left_out_where_there_is_none() -> None:
    assert "scimType" not in ScimError(404, "x").body()
