"""Writes directory's country names from the Unicode CLDR; needed only when the world changes.

Runs where Babel is installed, which is no dependency of ours:

    python scripts/countries.py > services/directory/src/directory/employees/country_names.toml

For each country: its three-letter code, its English and Danish name, then what its neighbours and it itself call it. Spellings
that no standard lists stand in `country_spellings.toml`, written by hand.
"""

import json
import sys

from babel import Locale, UnknownLocaleError
from babel.core import get_global

NEIGHBOURS = ["en", "da", "sv", "nb", "de", "fr"]
NOT_COUNTRIES = {"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
"""Codes of CLDR that ISO 3166-1 does not assign. Kosovo (XK), used by the European Union, stays."""

WITHDRAWN = {"ANT", "BUR", "DDR", "FXX", "NTZ", "SCG", "SUN", "TMP", "YMD", "YUG", "ZAR"}
NOT_ITS_NAME = {
    "BQ": {"De tidligere Nederlandske Antiller"},  # Curaçao and Sint Maarten were part of those too
    "CD": {"Kongo"},  # the other one is called so as well
}
DANISH = {"BQ": "De Caribiske Nederlande"}

HEAD = """\
# Written by scripts/countries.py from the Unicode Common Locale Data Repository (Unicode License v3, unicode.org/license.txt).
# alpha-2 = [alpha-3, English, Danish, then other languages]; a name that several countries bear stands with none of them.
"""


def own_languages(code: str) -> list[str]:
    spoken = get_global("territory_languages").get(code, {})
    return [one for one, facts in spoken.items() if facts["official_status"] in {"official", "de_facto_official"}]


def names(code: str) -> list[str]:
    found: dict[str, None] = {}
    for language in [*NEIGHBOURS, *own_languages(code)]:
        try:
            name = Locale.parse(language).territories.get(code)
        except (UnknownLocaleError, ValueError):
            continue
        if name and name not in NOT_ITS_NAME.get(code, ()):
            found[name] = None
    return list(found)


def main() -> int:
    long_codes = {
        to[0]: code
        for code, to in get_global("territory_aliases").items()
        if len(code) == 3 and code.isalpha() and code not in WITHDRAWN
    }
    codes = [one for one in Locale("en").territories if len(one) == 2 and one.isalpha() and one not in NOT_COUNTRIES]
    english, danish = Locale("en").territories, {**Locale("da").territories, **DANISH}
    listed = {code: names(code) for code in sorted(codes)}
    bearers: dict[str, set[str]] = {}
    for code, all_names in listed.items():
        for name in all_names:
            bearers.setdefault(name.casefold(), set()).add(code)
    print(HEAD)
    for code, all_names in listed.items():
        others = [one for one in all_names if len(bearers[one.casefold()]) == 1]
        line = list(dict.fromkeys([english[code], danish[code], *others]))
        both = line if english[code] != danish[code] else [line[0], *line]
        print(f"{code} = {json.dumps([long_codes[code], *both], ensure_ascii=False)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
