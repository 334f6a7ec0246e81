"""Settings: what the environment says, and what is said when it is wrong."""

from pathlib import Path

import pytest

from shared.settings import CommonSettings, SettingsError, read_settings


class Example(CommonSettings, frozen=True, kw_only=True):
    secret: str
    count: int = 3


def test_variables_are_field_names_in_capitals() -> None:
    settings = read_settings(Example, {"SECRET": "s", "COUNT": "7", "PORT": "1234"})
    assert (settings.secret, settings.count, settings.port) == ("s", 7, 1234)


def test_a_file_may_hold_the_value(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")
    assert read_settings(Example, {"SECRET_FILE": str(tmp_path / "secret")}).secret == "from a file"


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="SECRET is not set"):
        read_settings(Example, {})


def test_a_wrong_value_is_named_and_explained() -> None:
    with pytest.raises(SettingsError, match=r"COUNT is wrong: Expected `int`"):
        read_settings(Example, {"SECRET": "s", "COUNT": "many"})


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="SECRET_FILE names"):
        read_settings(Example, {"SECRET_FILE": str(tmp_path / "missing")})


def test_optional_settings_have_a_working_default() -> None:
    assert read_settings(Example, {"SECRET": "s"}).count == 3
