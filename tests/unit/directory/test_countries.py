"""Every country by code and name, the spellings people use, and what is not guessed."""

from importlib.resources import files

import pytest

from directory.employees.countries import calendar_group, spellings

LISTED = files("tzdata.zoneinfo").joinpath("iso3166.tab")
ISO = [line[:2] for line in LISTED.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
"""The codes that ISO 3166-1 assigns, from somebody else's list than ours."""


def test_the_table_holds_every_iso_country_and_kosovo() -> None:
    assert len(ISO) == 249
    assert set(spellings()) == {*ISO, "XK"}


@pytest.mark.parametrize("code", [*ISO, "XK"])
def test_a_country_is_known_by_its_codes_and_its_english_and_danish_name(code: str) -> None:
    long_code, english, danish, *others = spellings()[code]
    assert len(long_code) == 3
    for name in (code, code.lower(), long_code, english, danish, danish.upper(), *others, f"{danish} ({code})"):
        assert calendar_group(name) == code, name


def test_no_spelling_and_no_long_code_is_two_countries() -> None:
    names = [(name.casefold(), code) for code, known in spellings().items() for name in known]
    assert len({name for name, _ in names}) == len({*names})
    assert len({known[0] for known in spellings().values()}) == 250


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("DK", "DK"), ("dk", "DK"), ("DNK", "DK"), ("Denmark", "DK"), ("Danmark", "DK"), ("DANMARK ", "DK"),
        ("Denmark (DK)", "DK"), ("DK - Danmark", "DK"), ("Denmark/Danmark", "DK"), ("Danmark, DK", "DK"), ("D.K.", "DK"),
        ("UK", "GB"), ("GB", "GB"), ("Great Britain", "GB"), ("England", "GB"), ("Storbritannien", "GB"),
        ("USA", "US"), ("U.S.A.", "US"), ("United States", "US"), ("The United States of America", "US"),
        ("Tyskland", "DE"), ("Deutschland", "DE"), ("Germany", "DE"),
        ("Færøerne", "FO"), ("Faeroerne", "FO"), ("Faroe Islands", "FO"), ("Føroyar", "FO"),
        ("Grønland", "GL"), ("Gronland", "GL"), ("Greenland", "GL"), ("Kalaallit Nunaat", "GL"),
        ("Côte d'Ivoire", "CI"), ("cote d ivoire", "CI"), ("Ivory Coast", "CI"), ("Türkiye", "TR"), ("Turkey", "TR"),
        ("Trinidad and Tobago", "TT"), ("Sankt Lucia", "LC"), ("St Lucia", "LC"), ("Korea, Republic of", "KR"),
        ("Czech Republic", "CZ"), ("Holland", "NL"), ("The Netherlands", "NL"), ("Schweiz", "CH"), ("CH", "CH"),
        ("日本", "JP"), ("Österreich", "AT"), ("O\u0308sterreich", "AT"), ("Hong Kong", "HK"), ("EL", "GR"),
    ],
)  # fmt: skip
def test_the_spellings_people_use_mean_the_country(text: str, code: str) -> None:
    assert calendar_group(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "Congo", "Korea", "Virgin Islands", "Guiana", "America", "Scandinavia", "Skandinavien", "Channel Islands", "EU", "Europa",
        "Georgia, USA", "Denmark/Sweden", "Danmark (Aarhus)", "Norway and Sweden", "Ås", "Aarhus", "ZZ", "AN", "D", "1", "45",
        "", " ", "-", "()", "\U0001f1e9\U0001f1f0", "Denmark" * 1000, "\x00", "\ud800",
    ],
)  # fmt: skip
def test_what_is_no_country_or_may_be_several_is_not_guessed(text: str) -> None:
    assert calendar_group(text) is None
