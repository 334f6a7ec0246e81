"""Commands by chance. Names, link keys and references come from pools so small that people collide, follow each other, wait for
each other and are renamed all the time; what takes several commands to happen (a return after long, a whole sign-in) is drawn as
a whole, or it would never happen.
"""

from datetime import date
from random import Random
from typing import Any
from uuid import UUID

from tests.support.model import commands as do
from tests.support.model import company_commands as whole
from tests.support.model import group_commands as groups
from tests.support.model.company import Settings
from tests.support.model.people import COUNTRIES
from tests.support.model.world import ADMIN, Command

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
        )

    def company(self) -> int:
        return int(self.one(0, 0, 0, 1, 1, 2))

    def who(self) -> int | str:
        person: int | str = self.one(*PEOPLE) if self.likely(70) else self.one(*LOGINS)
        return person

    def some(self, of: dict[str, list[Any]], percent: int) -> Values:
        return {name: self.one(*values) for name, values in of.items() if self.likely(percent)}

    def reference(self) -> Any:
        person = (self.company(), self.one(*PEOPLE))
        return self.one(
            person, person, person, self.one(*LOGINS), self.one(*LOGINS), self.one(*EXTERNALS), None, "emp_" + "0" * 32
        )

    def attributes(self, percent: int) -> Values:
        return self.some(TEXTS, percent) | ({"manager_ref": self.reference()} if self.likely(percent) else {})

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
        return (
            self.attributes(15) | self.names(8) | self.some({"hired_on": [None, *DAYS], "policy": [None, "A", "B"]}, 25)
        )

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

    # What is done

    def create(self) -> list[Command]:
        missing = self.one([], [], [], [], ["active"], ["given_name"], ["active", "email"])
        return [do.Create(self.company(), self.new(), missing)]

    def change(self) -> list[Command]:
        return [do.Change(self.company(), self.one(*PEOPLE), self.changes(), self.likely(50))]

    def remove(self) -> list[Command]:
        return [do.Remove(self.company(), self.one(*PEOPLE))]

    def find(self) -> list[Command]:
        field = self.one("login_name", "email", "manager", "external_id")
        return [do.Find(self.company(), field, self.one(*(EXTERNALS if field == "external_id" else LOGINS)))]

    def note_mapping(self) -> list[Command]:
        return [do.NoteMapping(self.company(), self.one(["email"], ["active", "given_name"]))]

    def of_person(self) -> list[Command]:
        act = self.one("edit", "edit", "edit", "end", "block", "block", "decide_rehire", "confirm", "finish")
        values: dict[str, Values] = {
            "edit": self.edits(),
            "end": {"on": self.one(None, *DAYS)},
            "block": {"blocked": self.likely(50)},
            "decide_rehire": {"choice": self.one("continue", "new_employment")},
        }
        return [do.OfPerson(self.company(), self.likely(50), act, self.who(), values.get(act, {}))]

    def decide(self) -> list[Command]:
        role = self.one("approver", "approver", "setup_admin", "self_approver")
        departments = self.one([], [], ["salg"], ["Lager", "SALG"], ["Nowhere"])
        act = self.one("grant", "grant", "revoke", "only")
        return [do.Decide(self.company(), self.likely(50), act, self.who(), role, departments)]

    def release(self) -> list[Command]:
        attribute = self.one("title", "manager_ref", "country", "department", "email", "nonsense")
        return [do.Release(self.company(), self.likely(50), attribute)]

    def bring(self) -> list[Command]:
        return [do.Import(self.company(), [self.row() for _ in range(self.one(1, 1, 2, 3))])]

    def passing(self) -> list[Command]:
        return [do.Pass(0, self.one(1, 5, 24, 24 * 12, 24 * 40))]

    def sign_in(self) -> list[Command]:
        company, login = self.company(), self.one(*LOGINS)
        email = self.one(None, login, self.one(*LOGINS))
        if self.likely(50):
            begun = do.SignIn(company, (self.one(*OBJECTS), login), email, self.likely(10), *self.claim())
        else:
            begun = do.SignIn(company, self.one(*PEOPLE), self.one(None, None, email), False, *self.claim())
        current = (self.company(), self.one(-1, 0, 1)) if self.likely(30) else None
        return [begun, *(self.step() if self.likely(30) else []), do.Open(company, -1, current), *self.session()]

    def claim(self) -> tuple[list[str] | None, bool]:
        """Groups, and whether they were too many."""
        by_id, by_name = [GROUP.upper()], ["x", "bitabiz firma"]
        claims = [(None, False), (None, False), (by_id, False), (by_name, False), (["x"], False), (None, True)]
        return self.chance.choice(claims)

    def session(self) -> list[Command]:
        number = self.one(-1, -1, 0, 1)
        return [self.one(do.ReadSession, do.ReadSession, do.EndSession)(self.company(), number)]

    def coming_back(self) -> list[Command]:
        """Suspended, away for a while, said to be back; and what HR says to that."""
        company, person, login = self.company(), self.one(*PEOPLE), self.one(*LOGINS)
        by_change = do.Change(company, person, {"active": True}, False)
        back = by_change if self.likely(70) else do.Create(company, self.new(login), [])
        choice = {"choice": self.one("continue", "new_employment")}
        decided = do.OfPerson(company, self.likely(50), "decide_rehire", person if self.likely(70) else login, choice)
        between = self.step() if self.likely(40) else []
        away = do.Pass(company, 24 * self.one(1, 12))
        return [
            do.Change(company, person, {"active": False}, False),
            away,
            back,
            *between,
            *([decided] if self.likely(80) else []),
        ]

    # Groups

    def members(self) -> list[groups.Member]:
        number = self.one(1, 1, 2, 4)
        members = [self.one(*PEOPLE) for _ in range(number)]
        stranger = self.one((self.company(), self.one(*PEOPLE)), "emp_" + "0" * 32, "nobody")
        return [*members, *([stranger] if self.likely(7) else [])]

    def group_names(self) -> Values:
        return {"display_name": self.one(*GROUP_NAMES), "external_id": self.one(*GROUP_IDS)}

    def create_group(self) -> list[Command]:
        return [groups.CreateGroup(self.company(), self.group_names(), self.members() if self.likely(70) else [])]

    def change_group(self) -> list[Command]:
        changes: Values = {}
        if self.likely(20):
            changes = {name: one for name, one in self.group_names().items() if self.likely(60)}
        for name in ("members", "add", "remove"):
            if self.likely(40):
                changes[name] = [one for one in self.members() if name != "remove" or one != "nobody"]
        return [groups.ChangeGroup(self.company(), self.one(0, 1, 2), changes)]

    def remove_group(self) -> list[Command]:
        return [groups.RemoveGroup(self.company(), self.one(0, 1, 2))]

    def find_groups(self) -> list[Command]:
        field = self.one("display_name", "external_id", "member")
        values: Values = {"display_name": GROUP_NAMES, "external_id": GROUP_IDS[1:], "member": PEOPLE}
        return [groups.FindGroups(self.company(), field, self.one(*values[field]))]

    def of_the_company_s_group(self) -> list[Command]:
        """A member signs in, and is a member no more."""
        company, person = self.company(), self.one(*PEOPLE)
        names = {"display_name": "BitaBIZ Firma", "external_id": self.one(GROUP, GROUP, OTHER_GROUP, None)}
        out = self.one({"remove": [person]}, {"members": []}, {"display_name": "Everybody", "external_id": None})
        gone = groups.RemoveGroup(company, 0) if self.likely(30) else groups.ChangeGroup(company, 0, out)
        between = self.step() if self.likely(40) else []
        return [
            groups.CreateGroup(company, names, [person]),
            do.SignIn(company, person, None, False),
            do.Open(company, -1, None),
            *between,
            gone,
        ]

    # A company as a whole

    def many_leave(self) -> list[Command]:
        """Entra asks for several people, asks again perhaps, and somebody decides."""
        company = self.company()
        leaving = [self.leaving(company) for _ in range(self.one(2, 3, 4))]
        again = [do.Pass(company, self.one(1, 5, 30)), self.leaving(company)] if self.likely(40) else []
        late = [do.Pass(company, 50), self.one(*leaving)] if self.likely(30) else []
        back = [do.Change(company, self.one(*PEOPLE), {"active": True}, False)] if self.likely(40) else []
        between = self.step() if self.likely(40) else []
        return [*leaving, *again, *back, *between, *late, *self.decisions(company)]

    def adopted_meanwhile(self) -> list[Command]:
        """Somebody imported is to go, is held, and is then adopted as active."""
        company, row = self.company(), self.row()
        goes: list[Command] = [do.Change(company, -1, {"active": False}, False), do.Remove(company, -1)]
        others = [self.leaving(company) for _ in range(self.one(1, 2))]
        adopted = do.Create(company, {**self.new(row["login_name"]), "email": row["email"]}, [])
        return [do.Import(company, [row]), *others, self.one(*goes), adopted, *self.decisions(company)]

    def leaving(self, company: int) -> Command:
        person = self.one(*PEOPLE)
        if self.likely(25):
            return do.Remove(company, person)
        return do.Change(company, person, {"active": False, **self.attributes(10)}, self.likely(50))

    def decisions(self, company: int) -> list[Command]:
        refused = [whole.RefuseHeld(company, self.likely(50))] if self.likely(40) else []
        again = [self.leaving(company)] if self.likely(30) else []
        if self.likely(40):
            return [*refused, *again]
        released = whole.ReleaseHeld(company, self.likely(40), self.likely(50))
        later = [self.one(do.Pass(company, 1), do.Pass(company, 2), self.leaving(company))] if self.likely(50) else []
        return [*refused, *again, released, *later, whole.Sweep(company)]

    def sweep(self) -> list[Command]:
        return [whole.Sweep(self.company())]

    def step(self) -> list[Command]:
        draw = self.chance.choices(
            [self.create, self.change, self.remove, self.find, self.note_mapping, self.of_person, self.decide, self.release,
             self.bring, self.passing, self.sign_in, self.session, self.coming_back, self.create_group, self.change_group,
             self.remove_group, self.find_groups, self.of_the_company_s_group, self.many_leave, self.adopted_meanwhile,
             self.sweep],
            [16, 22, 4, 3, 2, 20, 6, 2, 8, 2, 7, 3, 5, 4, 8, 1, 2, 3, 4, 2, 2],
        )[0]  # fmt: skip
        return draw()

    def sequence(self, length: int) -> list[Command]:
        steps = [step for _ in range(5) for step in self.create()]
        while len(steps) < length:
            steps += self.step()
        return steps
