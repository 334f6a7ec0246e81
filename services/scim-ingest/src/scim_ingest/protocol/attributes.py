"""THE table: which SCIM attribute is which field of an employee.

Discovery, the reading of bodies, patch paths, filters, answers and the paths in error texts all come from `ATTRIBUTES`;
adding a row there is adding an attribute everywhere. What is not in the table is not stored (decision D6).

    core schema         userName  externalId  displayName  name.*  title  active
                        emails[work]  phoneNumbers[work, mobile]  addresses[work]
    enterprise schema   employeeNumber  department  manager
    BitaBIZ's schema    leaveDate

Source: product mapping S11-S21, S27-S30; RFC 7643 sections 4.1 and 4.3. The leave date is decision A4's.
"""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
BITABIZ = "urn:ietf:params:scim:schemas:extension:bitabiz:2.0:User"
"""Of this form, or Entra leaves its attributes out of a create."""
EXTENSIONS = {
    ENTERPRISE: ("EnterpriseUser", "What an employee is in the company"),
    BITABIZ: ("BitaBizUser", "What BitaBIZ wants to know beside it"),
}
"""Schema URN -> its name, and what it describes."""
SCHEMAS = (CORE, *EXTENSIONS)

READ_ONLY = frozenset({"id", "meta", "schemas", "groups"})
"""Lower-case names that a request may mention but never sets."""

Kind = Literal["string", "boolean"]


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """One stored value: a row of the table."""

    field: str
    """The field of `NewEmployee`, `EmployeeChanges` and `Employee`."""
    name: str
    """Top-level SCIM name, as published."""
    sub: str | None = None
    """Sub-attribute, for complex attributes."""
    element: str | None = None
    """The element's `type`, for multi-valued attributes."""
    schema: str = CORE
    kind: Kind = "string"
    mandatory: bool = False
    """S23: a create without it is refused, and nothing clears it."""
    case_exact: bool = False
    unique: bool = False
    text: str = ""

    @property
    def path(self) -> str:
        """As an error text names it and as Entra's mapping page writes it."""
        name = self.name if self.schema == CORE else f"{self.schema}:{self.name}"
        if self.element is not None:
            name += f'[type eq "{self.element}"]'
        return f"{name}.{self.sub}" if self.sub is not None and self.name != "manager" else name

    @property
    def search_field(self) -> str:
        """As directory's searches know it."""
        return "manager" if self.field == "manager_ref" else self.field


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute(
        field="login_name", name="userName", mandatory=True, unique=True, text="Login name, unique in the company"
    ),
    Attribute(
        field="external_id",
        name="externalId",
        case_exact=True,
        unique=True,
        text="The sender's own key, best the Entra object id; links this user to a person, and is nothing else",
    ),
    Attribute(field="display_name", name="displayName", text="Name as shown to others"),
    Attribute(field="formatted_name", name="name", sub="formatted", text="Full name, ready to show"),
    Attribute(field="given_name", name="name", sub="givenName", mandatory=True, text="Given name"),
    Attribute(field="family_name", name="name", sub="familyName", mandatory=True, text="Family name"),
    Attribute(field="title", name="title", text="Job title"),
    Attribute(
        field="active",
        name="active",
        kind="boolean",
        text="False suspends: sessions end at once. True when absent on create",
    ),
    Attribute(
        field="email",
        name="emails",
        element="work",
        sub="value",
        mandatory=True,
        unique=True,
        text="Address, unique in the company",
    ),
    Attribute(
        field="email_primary",
        name="emails",
        element="work",
        sub="primary",
        kind="boolean",
        text="Kept and returned as sent",
    ),
    Attribute(field="work_phone", name="phoneNumbers", element="work", sub="value", text="Number, free text"),
    Attribute(field="mobile_phone", name="phoneNumbers", element="mobile", sub="value", text="Number, free text"),
    Attribute(
        field="country", name="addresses", element="work", sub="country", text="Country or region, free text as sent"
    ),
    Attribute(field="employee_number", name="employeeNumber", schema=ENTERPRISE, text="Employee number"),
    Attribute(field="department", name="department", schema=ENTERPRISE, text="Department"),
    Attribute(
        field="manager_ref",
        name="manager",
        sub="value",
        schema=ENTERPRISE,
        case_exact=True,
        text="The id of the manager; may arrive before the manager does",
    ),
    Attribute(
        field="leave_date",
        name="leaveDate",
        schema=BITABIZ,
        text="His last day, as a date or a moment; the termination date once he is deactivated",
    ),
)

BY_FIELD = {attribute.field: attribute for attribute in ATTRIBUTES}
MANDATORY = tuple(attribute for attribute in ATTRIBUTES if attribute.mandatory)
ACTIVE = BY_FIELD["active"]

DESCRIPTIONS = {
    "name": "Parts of the name",
    "emails": "The work address",
    "phoneNumbers": "Office and mobile number",
    "addresses": "The country of the work address",
    "manager": "The manager, who becomes direct approver",
}


class Simple(msgspec.Struct, frozen=True):
    """A single value."""

    attribute: Attribute


class Complex(msgspec.Struct, frozen=True):
    """A value with parts; `main` is the part that stands for the whole (manager), if one does."""

    name: str
    subs: dict[str, Attribute]
    main: Attribute | None


class Multi(msgspec.Struct, frozen=True):
    """Elements told apart by `type`; each known type holds its own parts."""

    name: str
    elements: dict[str, dict[str, Attribute]]

    def all(self) -> list[Attribute]:
        return [attribute for subs in self.elements.values() for attribute in subs.values()]


Node = Simple | Complex | Multi


def _node(rows: list[Attribute]) -> Node:
    first = rows[0]
    if first.element is not None:
        elements: dict[str, dict[str, Attribute]] = {}
        for row in rows:
            elements.setdefault(row.element or "", {})[(row.sub or "").lower()] = row
        return Multi(first.name, elements)
    if first.sub is not None:
        subs = {(row.sub or "").lower(): row for row in rows}
        return Complex(first.name, subs, subs.get("value"))
    return Simple(first)


def _nodes(schema: str) -> dict[str, Node]:
    rows: dict[str, list[Attribute]] = {}
    for attribute in ATTRIBUTES:
        if attribute.schema == schema:
            rows.setdefault(attribute.name.lower(), []).append(attribute)
    return {name: _node(found) for name, found in rows.items()}


NODES: dict[str, dict[str, Node]] = {schema.lower(): _nodes(schema) for schema in SCHEMAS}
"""Lower-case schema URN -> lower-case name -> node."""

EXTENSION_OF = {name: schema for schema in EXTENSIONS for name in NODES[schema.lower()]}
"""Lower-case name -> the extension that has it; no two have the same."""

BARE: dict[str, Node] = {
    **{name: NODES[schema.lower()][name] for name, schema in EXTENSION_OF.items()},
    **NODES[CORE.lower()],
}
"""Names without a URN: those of the core schema, and of the extensions `manager`, `department` … (see quirks)."""


def split_urn(text: str) -> tuple[str | None, str]:
    """The known schema in front, in lower case, and what follows it; (None, text) where none stands there.

    A bare URN gives an empty rest. URNs hold colons and dots themselves, so only a known one is ever cut off.
    """
    if text[:4].lower() == "urn:":
        lowered = text.lower()
        for schema in NODES:
            if lowered.startswith(schema) and lowered[len(schema) : len(schema) + 1] in ("", ":"):
                return schema, text[len(schema) + 1 :]
    return None, text


def find_node(schema: str | None, name: str) -> Node | None:
    nodes = BARE if schema is None else NODES[schema]
    return nodes.get(name.lower())


def path_of_field(field: str) -> str | None:
    attribute = BY_FIELD.get(field)
    return attribute.path if attribute else None


_NAME = re.compile(r"[A-Za-z0-9]+")
_STANDARD = {
    name.lower(): name
    for name in _NAME.findall(
        "userName externalId displayName name nickName profileUrl title userType preferredLanguage locale timezone active "
        "password emails phoneNumbers ims photos addresses groups entitlements roles x509Certificates employeeNumber costCenter "
        "organization division department manager members"
    )
}


def well_known(names: Iterable[str]) -> list[str]:
    """Of names that somebody sent, those of the standard's attributes (RFC 7643 section 4), whole; of others that they came."""
    found: dict[str, None] = {}
    for name in names:
        word = _NAME.match(split_urn(name)[1])
        found[_STANDARD.get(word[0].lower(), "other") if word else "other"] = None
    return list(found)
