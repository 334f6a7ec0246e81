"""Values by chance. Names, link keys and references come from pools so small that people collide, follow each other, wait for
each other and are renamed all the time.
"""

from datetime import date
from random import Random
from typing import Any
from uuid import UUID

from tests.support.model.company import Settings
from tests.support.model.group_commands import Member
from tests.support.model.people import COUNTRIES, LEAVES
from tests.support.model.world import ADMIN

LOGINS = [
    "anna@firma.dk",
    "ANNA@firma.dk",
    "bo@firma.dk",
    "carl@firma.dk",
    "åse@firma.dk",
    "A\u030ase@firma.dk",
    "nick",
    ADMIN,
]
OBJECTS = [f"{one}a0d1f0e-4d0f-4c3d-9f43-2f4d8b5f0a1{one}" for one in "abc"]
EXTERNALS = [*OBJECTS, OBJECTS[0].upper(), "nick", "anna@firma.dk"]
DAYS = [date(1890, 1, 1), date(2020, 2, 29), date(2026, 10, 1), date(2026, 12, 24), date(2027, 9, 1), date(2031, 1, 1)]
BAD = "a\0b"
TEXTS: dict[str, list[Any]] = {
    "title": [None, "Kok", "Chef", "Kok", "Chef", BAD],
    "department": [None, "Salg", "SALG", "Lager"],
    "employee_number": [None, "17"],
    "mobile_phone": [None, "+45 12"],
    "country": [None, *COUNTRIES],
}
SENT = {**TEXTS, "leave_date": [None, *LEAVES]}
"""What Entra sends, where HR gives a day."""
PEOPLE = [1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 0]
"""0 is the Setup admin; if everything happened to him, there would soon be none."""

GROUP, OTHER_GROUP = (f"{one}9c4d3b2-7a6f-4e5d-8c1b-0a9f8e7d6c5b" for one in "12")
OWN_GROUPS = [(UUID(GROUP), "BitaBIZ Firma"), (UUID(GROUP), None), (None, "BitaBIZ Firma")]
GROUP_NAMES = ["BitaBIZ Firma", "bitabiz FIRMA", "Everybody", "Everybody", " ", BAD]
GROUP_IDS = [None, GROUP, GROUP, GROUP.upper(), OTHER_GROUP, "nick"]

Values = dict[str, Any]


class Draw:
    def __init__(self, chance: Random) -> None:
        self.chance = chance

    def one(self, *of: Any) -> Any:
        return self.chance.choice(of)

    def likely(self, percent: int) -> bool:
        return self.chance.random() * 100 < percent

    def settings(self) -> Settings:
        own = self.one((None, None), *OWN_GROUPS)
        return Settings(
            zone=self.one("Europe/Copenhagen", "Pacific/Auckland"),
            ask_after_days=self.one(None, 0, 10),
            group=own,
            group_check=self.one("off", "when_sent", "required", "required") if any(own) else "off",
            brake=self.one((0, 30), (30, 30), (1, 0), (1, 60), (1, 60), (2, 50)),
            erase_after_months=self.one(None, 1, 1, 2),
        )

    def company(self) -> int:
        return int(self.one(0, 0, 0, 1, 1, 2))

    def who(self) -> int | str:
        person: int | str = self.one(*PEOPLE) if self.likely(70) else self.one(*LOGINS)
        return person

    def some(self, of: dict[str, list[Any]], percent: int) -> Values:
        return {name: self.one(*values) for name, values in of.items() if self.likely(percent)}

    def reference(self) -> Any:
        person = (self.company(), self.one(*PEOPLE), self.one("id", "id", "login_name", "external_id", "email"))
        return self.one(
            person, person, person, self.one(*LOGINS), self.one(*LOGINS), self.one(*EXTERNALS), None, "emp_" + "0" * 32
        )

    def attributes(self, percent: int, texts: dict[str, list[Any]] = SENT) -> Values:
        return self.some(texts, percent) | ({"manager_ref": self.reference()} if self.likely(percent) else {})

    def names(self, percent: int) -> Values:
        login = {"login_name": LOGINS, "email": LOGINS, "given_name": ["Anna", "Bo", "Åse", " "]}
        return self.some(login, percent)

    def new(self, login: str | None = None) -> Values:
        login = login or self.one(*LOGINS[:-1], *LOGINS)
        values = {
            "login_name": login,
            "email": login if self.likely(80) else self.one(*LOGINS),
            "given_name": self.one("Anna", "Bo"),
        }
        if self.likely(60):
            values["external_id"] = self.one(*EXTERNALS)
        if self.likely(15):
            values["active"] = self.likely(30)
        return {**values, "family_name": "Holm", **self.attributes(25)}

    def changes(self) -> Values:
        if self.likely(25):
            return {"active": self.likely(50)}
        values = self.attributes(15) | self.names(12)
        if self.likely(15):
            values["external_id"] = self.one(None, *EXTERNALS)
        if self.likely(15):
            values["active"] = self.likely(40)
        return values | self.some({"email_primary": [None, True]}, 5)

    def edits(self) -> Values:
        days: dict[str, list[Any]] = {
            "hired_on": [None, *DAYS],
            "leave_date": [None, *DAYS],
            "policy": [None, "A", "B"],
        }
        return self.attributes(15, TEXTS) | self.names(8) | self.some(days, 25)

    def row(self) -> Values:
        login = self.one(*LOGINS)
        values = {
            "login_name": login,
            "email": login if self.likely(90) else self.one(*LOGINS),
            "given_name": self.one("Ann", "Bo"),
        }
        others = self.some(
            {**TEXTS, "manager_ref": [*LOGINS, *EXTERNALS], "hired_on": DAYS[1:4], "policy": ["A", "B"]}, 30
        )
        return {
            **values,
            "family_name": "Holm",
            **{name: one for name, one in others.items() if one not in {None, BAD}},
        }

    def claim(self) -> tuple[list[str] | None, bool]:
        """Groups, and whether they were too many."""
        by_id, by_name = [GROUP.upper()], ["x", "bitabiz firma"]
        claims = [(None, False), (None, False), (by_id, False), (by_name, False), (["x"], False), (None, True)]
        return self.chance.choice(claims)

    def members(self) -> list[Member]:
        number = self.one(1, 1, 2, 4)
        members = [self.one(*PEOPLE) for _ in range(number)]
        stranger = self.one((self.company(), self.one(*PEOPLE)), "emp_" + "0" * 32, "nobody")
        return [*members, *([stranger] if self.likely(7) else [])]

    def group_names(self) -> Values:
        return {"display_name": self.one(*GROUP_NAMES), "external_id": self.one(*GROUP_IDS)}
