"""What takes several commands to happen (a return after long, a whole sign-in) is drawn as a whole, or it would never happen."""

from datetime import date

from tests.support.model import commands as do
from tests.support.model import company_commands as whole
from tests.support.model import group_commands as groups
from tests.support.model.acts import Acts
from tests.support.model.chance import DAYS, EXTERNALS, GROUP, LOGINS, OBJECTS, OTHER_GROUP, PEOPLE
from tests.support.model.world import Command

MONTH_ENDS = [
    (date(2026, 10, 31), date(2026, 11, 30)),
    (date(2026, 12, 31), date(2027, 2, 28)),
    (date(2027, 1, 31), date(2027, 2, 28)),
    (date(2027, 1, 30), date(2027, 2, 27)),
]


class Stories(Acts):
    def sign_in(self) -> list[Command]:
        company, login = self.company(), self.one(*LOGINS)
        email = self.one(None, login, self.one(*LOGINS))
        if self.likely(50):
            begun = do.SignIn(company, (self.one(*OBJECTS), login), email, self.likely(10), *self.claim())
        else:
            begun = do.SignIn(company, self.one(*PEOPLE), self.one(None, None, email), False, *self.claim())
        current = (self.company(), self.one(-1, 0, 1)) if self.likely(30) else None
        return [begun, *self.step_or_none(30), do.Open(company, -1, current), *self.session()]

    def signed_out_at_microsoft(self) -> list[Command]:
        """Somebody signs in, here and there perhaps, and signs out at Microsoft, which may tell so twice."""
        company, person = self.company(), self.one(*PEOPLE)
        once: list[Command] = [do.SignIn(company, person, None, False, *self.claim()), do.Open(company, -1, None)]
        told = do.SignOutAtMicrosoft(company, self.one(1, 1, 2, None), self.likely(50), person)
        again = [told] if self.likely(40) else []
        return [*once, *(once if self.likely(60) else []), told, *self.step_or_none(30), *again]

    def coming_back(self) -> list[Command]:
        """Suspended, away for a while, said to be back; and what HR says to that."""
        company, person, login = self.company(), self.one(*PEOPLE), self.one(*LOGINS)
        by_change = do.Change(company, person, {"active": True}, False)
        back = by_change if self.likely(70) else do.Create(company, self.new(login), [])
        choice = {"choice": self.one("continue", "new_employment")}
        decided = do.OfPerson(company, self.likely(50), "decide_rehire", person if self.likely(70) else login, choice)
        between = self.step_or_none(40)
        away = do.Pass(company, 24 * self.one(1, 12))
        return [
            do.Change(company, person, {"active": False}, False),
            away,
            back,
            *between,
            *([decided] if self.likely(80) else []),
        ]

    def of_the_company_s_group(self) -> list[Command]:
        """A member signs in, and is a member no more."""
        company, person = self.company(), self.one(*PEOPLE)
        names = {"display_name": "BitaBIZ Firma", "external_id": self.one(GROUP, GROUP, OTHER_GROUP, None)}
        out = self.one({"remove": [person]}, {"members": []}, {"display_name": "Everybody", "external_id": None})
        gone = groups.RemoveGroup(company, 0) if self.likely(30) else groups.ChangeGroup(company, 0, out)
        between = self.step_or_none(40)
        return [
            groups.CreateGroup(company, names, [person]),
            do.SignIn(company, person, None, False),
            do.Open(company, -1, None),
            *between,
            gone,
        ]

    def many_leave(self) -> list[Command]:
        """Entra asks for several people, asks again perhaps, and somebody decides."""
        company = self.company()
        leaving = self.several_leave(company)
        again = [do.Pass(company, self.one(1, 5, 30)), self.leaving(company)] if self.likely(40) else []
        late = [do.Pass(company, 50), self.one(*leaving)] if self.likely(30) else []
        back = [do.Change(company, self.one(*PEOPLE), {"active": True}, False)] if self.likely(40) else []
        between = self.step_or_none(40)
        return [*leaving, *again, *back, *between, *late, *self.decisions(company)]

    def adopted_meanwhile(self) -> list[Command]:
        """Somebody imported is to go, is held, and is then adopted as active."""
        company, row = self.company(), self.row()
        goes: list[Command] = [do.Change(company, -1, {"active": False}, False), do.Remove(company, -1)]
        others = [self.leaving(company) for _ in range(self.one(1, 2))]
        adopted = do.Create(company, {**self.new(row["login_name"]), "email": row["email"]}, [])
        return [do.Import(company, [row]), *others, self.one(*goes), adopted, *self.decisions(company)]

    def several_leave(self, company: int) -> list[Command]:
        return [self.leaving(company, person) for person in self.chance.sample(range(7), self.one(2, 3, 4))]

    def leaving(self, company: int, person: int | None = None) -> Command:
        person = self.one(*PEOPLE) if person is None else person
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

    def long_gone(self) -> list[Command]:
        """A manager leaves, by whichever name he is known; somebody follows him perhaps; he is erased in the end."""
        company, report, login = self.company(), self.one(*PEOPLE), self.one(*LOGINS[:-1])
        by = self.one("id", "login_name", "login_name", "external_id", "email")
        named = [
            do.Change(company, one, {"manager_ref": (company, -1, by)}, False) for one in (report, self.one(*PEOPLE))
        ]
        renamed = [do.Change(company, -1, self.names(40), False)] if self.likely(30) else []
        gone: list[Command] = [
            do.Remove(company, -1),
            do.Change(company, -1, {"active": False}, False),
            do.OfPerson(company, False, "end", -1, {"on": self.one(None, *DAYS)}),
        ]
        away = [do.Change(company, report, {"manager_ref": self.reference()}, False)] if self.likely(30) else []
        follows = [do.Create(company, self.new(login), [])] if self.likely(50) else []
        passes = do.Pass(company, 24 * self.one(29, 32, 62))
        coming = [do.Create(company, self.new(login), []), *named[: self.one(1, 2)], *renamed]
        return [*coming, self.one(*gone), *away, *follows, passes, whole.Sweep(company)]

    def gone_and_back(self) -> list[Command]:
        """His time would have come, but he has returned, or has begun anew."""
        return [*self.coming_back(), do.Pass(0, 24 * 62), *(whole.Sweep(company) for company in range(3))]

    def end_of_a_month(self) -> list[Command]:
        """A month that has fewer days than the one in which somebody left."""
        company, person = self.company(), self.one(*PEOPLE)
        left, due = self.one(*MONTH_ENDS)
        ended = do.OfPerson(company, False, "end", person, {"on": left})
        return [ended, do.PassUntil(company, due), whole.Sweep(company)]

    def end_of_a_company(self) -> list[Command]:
        """Closed, and opened again within the grace or not; seldom the one to which most happens."""
        company = self.one(0, 1, 1, 1)
        closed: list[Command] = [whole.Close(company, self.one(0, 1, 30)), *self.step_or_none(60)]
        restored: list[Command] = [whole.Restore(company), do.SignIn(company, 0, None, False, [GROUP, "BitaBIZ Firma"])]
        if self.likely(50):
            return [*closed, whole.Sweep(company), *restored, do.Open(company, -1, None)]
        return [*closed, do.Pass(company, 24 * 31), whole.Sweep(company), *self.step_or_none(60), *restored[:1]]

    def move(self) -> list[Command]:
        """Prepared, and cut over or given up; who comes from either tenant meanwhile, and who is found again."""
        company = self.company()
        prepared = [self.prepare(company) for _ in range(self.one(1, 1, 2))]
        held = self.several_leave(company) if self.likely(60) else []
        meanwhile = [self.readdressed(company), *self.from_another_tenant(company), *self.step_or_none(40), *held]
        if self.likely(20):
            return [*prepared, *meanwhile, whole.CancelMove(company), *self.from_another_tenant(company)]
        cut_over: list[Command] = [whole.CutOver(company, self.likely(60)), *self.from_another_tenant(company)]
        again = [self.named_by_the_new_tenant(company) for _ in range(self.one(1, 2, 3, 4))]
        return [*prepared, *meanwhile, *cut_over, *self.step_or_none(40), *again]

    def prepare(self, company: int) -> Command:
        return whole.Prepare(company, self.one(0, 1, 2), self.one((), (), ("firma.dk",)))

    def readdressed(self, company: int) -> Command:
        edits = self.some({"email": LOGINS, "login_name": LOGINS, "title": ["Kok"]}, 50)
        return do.OfPerson(company, self.likely(50), "edit", self.who(), edits)

    def from_another_tenant(self, company: int) -> list[Command]:
        """By the token of the one or the other, or with its assertion."""
        if self.likely(50):
            person, claim = self.one(*PEOPLE), self.claim()
            return [do.SignIn(company, person, None, False, *claim, tenant=self.one(0, 1, 2))]
        acts = [
            self.create,
            self.change,
            self.remove,
            self.find,
            self.find_groups,
            self.create_group,
            self.change_group,
        ]
        commands = self.chance.choice(acts)()
        for one in commands:
            one.company = company
        return [whole.ByOtherToken(one, self.likely(50)) for one in commands]

    def named_by_the_new_tenant(self, company: int) -> Command:
        person = self.one(*PEOPLE)
        acts: list[Command] = [
            do.Create(company, self.new(), []),
            do.Create(company, self.new(), []),
            do.Change(company, person, {"external_id": self.one(*EXTERNALS)}, False),
            do.SignIn(company, person, None, False, *self.claim()),
            self.readdressed(company),
        ]
        return self.chance.choice(acts)

    def step_or_none(self, percent: int) -> list[Command]:
        return self.step() if self.likely(percent) else []

    def step(self) -> list[Command]:
        draw = self.chance.choices(
            [self.create, self.change, self.remove, self.find, self.note_mapping, self.of_person, self.decide, self.release,
             self.bring, self.passing, self.sign_in, self.session, self.coming_back, self.create_group, self.change_group,
             self.remove_group, self.find_groups, self.of_the_company_s_group, self.many_leave, self.adopted_meanwhile,
             self.sweep, self.long_gone, self.gone_and_back, self.end_of_a_month, self.end_of_a_company, self.move,
             self.signed_out_at_microsoft],
            [16, 22, 4, 3, 2, 20, 6, 2, 8, 2, 7, 3, 5, 4, 8, 1, 2, 3, 6, 2, 2, 7, 2, 2, 2, 4, 3],
        )[0]  # fmt: skip
        return draw()

    def staff(self, company: int) -> Command:
        """Those who are there before Entra is asked."""
        logins = self.chance.sample(["bo@firma.dk", "carl@firma.dk", "dorte@firma.dk", "erik@firma.dk"], 3)
        names = {"given_name": "Ann", "family_name": "Holm"}
        return do.Import(company, [{"login_name": login, "email": login, **names} for login in logins])

    def sequence(self, length: int) -> list[Command]:
        steps = [self.staff(company) for company in range(3)]
        steps += [step for _ in range(5) for step in self.create()]
        while len(steps) < length:
            steps += self.step()
        return steps
