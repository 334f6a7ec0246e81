"""Random users and random PATCHes of the shapes that RFC 7644 section 3.5.2 has, the same in every run: what an oracle is asked.

python -m tests.support.rfc_patches        writes the cases, a line of JSON each; with --checksum, what tells them from others
"""

import hashlib
import json
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
CASES = 400
_TEXTS = ["Kok", "Ærø", "O'Neill", "50", "+45 1", "Danmark", "a b", "true"]

Operation = dict[str, Any]


def cases(number: int = CASES) -> Iterator[dict[str, Any]]:
    chance = random.Random(7644)
    for case in range(number):
        user = _user(chance, case)
        operations = [chance.choice(_KINDS)(chance) for _ in range(chance.randrange(1, 5))]
        yield {"user": user, "operations": operations}


def _user(chance: random.Random, case: int) -> dict[str, Any]:
    name = f"p{case}@contoso.com"
    user: dict[str, Any] = {
        "schemas": [CORE, URN],
        "userName": name,
        "active": chance.random() < 0.8,
        "name": {"givenName": "Adele", "familyName": "Vance"},
        "emails": [{"type": "work", "value": name, **({"primary": True} if chance.random() < 0.5 else {})}],
    }
    if chance.random() < 0.5:
        user["name"]["formatted"] = "Adele Vance"
    for simple in ("displayName", "title", "externalId"):
        if chance.random() < 0.5:
            user[simple] = f"{chance.choice(_TEXTS)} {case}"
    phones = [{"type": kind, "value": chance.choice(_TEXTS)} for kind in ("work", "mobile") if chance.random() < 0.5]
    if phones:
        user["phoneNumbers"] = phones
    if chance.random() < 0.5:
        user["addresses"] = [{"type": "work", "country": chance.choice(_TEXTS)}]
    extension: dict[str, Any] = {
        sub: chance.choice(_TEXTS) for sub in ("department", "employeeNumber") if chance.random() < 0.5
    }
    if chance.random() < 0.5:
        extension["manager"] = {"value": "boss-1"}
    if extension:
        user[URN] = extension
    return user


def _simple(chance: random.Random) -> Operation:
    path = chance.choice(
        ["displayName", "title", "externalId", f"{CORE}:title", f"{URN}:department", f"{URN}:employeeNumber"]
    )
    return _one(chance, path, chance.choice(_TEXTS))


def _mandatory(chance: random.Random) -> Operation:
    path, value = chance.choice(
        [
            ("name.givenName", "Bo"),
            ("name.familyName", "Ny"),
            ("userName", "new@contoso.com"),
            ("active", False),
            ("active", True),
        ]
    )
    return {"op": chance.choice(["add", "replace"]), "path": path, "value": value}


def _formatted(chance: random.Random) -> Operation:
    return _one(chance, "name.formatted", chance.choice(_TEXTS))


def _name(chance: random.Random) -> Operation:
    value = {sub: chance.choice(_TEXTS) for sub in ("givenName", "familyName", "formatted") if chance.random() < 0.6}
    return {"op": chance.choice(["add", "replace"]), "path": "name", "value": value or {"givenName": "Bo"}}


def _manager(chance: random.Random) -> Operation:
    return _one(chance, f"{URN}:manager", {"value": chance.choice(["boss-1", "boss-2"])})


def _part(chance: random.Random) -> Operation:
    path, value = chance.choice(
        [
            ('emails[type eq "work"].value', "other@contoso.com"),
            ('emails[type eq "work"].primary', True),
            ('phoneNumbers[type eq "work"].value', chance.choice(_TEXTS)),
            ('phoneNumbers[type eq "mobile"].value', chance.choice(_TEXTS)),
            ('addresses[type eq "work"].country', chance.choice(_TEXTS)),
        ]
    )
    return {"op": chance.choice(["add", "replace"]), "path": path, "value": value}


def _element(chance: random.Random) -> Operation:
    kind = chance.choice(["work", "mobile"])
    return _one(chance, f'phoneNumbers[type eq "{kind}"]', {"type": kind, "value": chance.choice(_TEXTS)})


def _lists(chance: random.Random) -> Operation:
    kinds = chance.sample(["work", "mobile"], chance.randrange(1, 3))
    path, value = chance.choice(
        [
            ("phoneNumbers", [{"type": kind, "value": chance.choice(_TEXTS)} for kind in kinds]),
            ("addresses", [{"type": "work", "country": chance.choice(_TEXTS)}]),
        ]
    )
    return _one(chance, path, value)


def _addresses(chance: random.Random) -> Operation:
    element = {"type": "work", "value": "list@contoso.com", **({"primary": True} if chance.random() < 0.5 else {})}
    return {"op": "replace", "path": "emails", "value": [element]}


def _whole(chance: random.Random) -> Operation:
    value: dict[str, Any] = {"title": chance.choice(_TEXTS)}
    if chance.random() < 0.5:
        value["name"] = {"formatted": chance.choice(_TEXTS)}
    if chance.random() < 0.5:
        value[URN] = {"department": chance.choice(_TEXTS)}
    if chance.random() < 0.3:
        value["active"] = False
    if chance.random() < 0.3:
        value["phoneNumbers"] = [{"type": "mobile", "value": chance.choice(_TEXTS)}]
    return {"op": chance.choice(["add", "replace"]), "value": value}


def _one(chance: random.Random, path: str, value: Any) -> Operation:
    op = chance.choice(["add", "replace", "remove"])
    return {"op": op, "path": path} if op == "remove" else {"op": op, "path": path, "value": value}


_KINDS: list[Callable[[random.Random], Operation]] = [
    _simple, _simple, _mandatory, _formatted, _name, _manager, _part, _part, _element, _lists, _addresses, _whole,
]  # fmt: skip


def checksum() -> str:
    return hashlib.sha256(_lines().encode()).hexdigest()


def _lines() -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in cases())


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"cases": checksum()}) + "\n" if "--checksum" in sys.argv else _lines())
