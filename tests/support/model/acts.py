"""Single commands by chance."""

from tests.support.model import commands as do
from tests.support.model import company_commands as whole
from tests.support.model import group_commands as groups
from tests.support.model.chance import DAYS, EXTERNALS, GROUP_IDS, GROUP_NAMES, LOGINS, PEOPLE, Draw, Values
from tests.support.model.world import Command


class Acts(Draw):
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

    def session(self) -> list[Command]:
        number = self.one(-1, -1, 0, 1)
        if self.likely(20):
            return [
                do.SignOutAtMicrosoft(self.company(), self.one(0, 1, 1, 2, None), self.likely(50), self.one(*PEOPLE))
            ]
        return [self.one(do.ReadSession, do.ReadSession, do.EndSession)(self.company(), number)]

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

    def sweep(self) -> list[Command]:
        return [whole.Sweep(self.company())]
