"""One Entra tenant: the only place that changes people, groups, apps and what provisioning remembers of them.

Every change raises the tenant's revision, which the provisioning engine's watermarks are compared with, and calls the
`changed` hooks (the command-line simulator saves its state there). Deleted people stay restorable until purged;
memberships survive the recycle bin.
"""

import re
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from tests.entra.certificates import new_certificate
from tests.entra.people import Certificate, EnterpriseApp, Group, Person

if TYPE_CHECKING:
    from tests.entra.workload import Workload

Clock = Callable[[], datetime]


_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 cannot carry (section 2.2); a directory would not take it either."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class TenantError(ValueError):
    """The change is refused; the text says why."""


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """An object connection: this source object is that target object. `broken` after the target forgot the id."""

    target_id: str
    broken: bool = False


class Escrowed(msgspec.Struct, frozen=True, kw_only=True):
    """A failed object, tried again in the next cycle."""

    code: str
    detail: str
    attempts: int = 1


class JobState(msgspec.Struct, kw_only=True):
    """What the provisioning job of one app remembers between cycles."""

    watermark: int | None = None
    people: dict[str, Connection] = msgspec.field(default_factory=dict)
    groups: dict[str, Connection] = msgspec.field(default_factory=dict)
    group_members: dict[str, list[str]] = msgspec.field(default_factory=dict)
    escrow: dict[str, Escrowed] = msgspec.field(default_factory=dict)
    quarantine: str | None = None


class Tenant:
    def __init__(self, tenant_id: str, name: str, domain: str, clock: Clock = utc_now) -> None:
        self.tenant_id = tenant_id
        self.name = name
        self.domain = domain
        self.clock = clock
        self.revision = 1
        self.people: dict[str, Person] = {}
        self.groups: dict[str, Group] = {}
        self.apps: dict[str, EnterpriseApp] = {}
        self.jobs: dict[str, JobState] = {}
        self.changed: list[Callable[[], None]] = []
        self.workload: Workload | None = None
        """For apps that use workload identity federation; it has keys, which take a while to make."""

    @property
    def issuer(self) -> str:
        return f"https://sts.windows.net/{self.tenant_id}/"

    # Looking up

    def person(self, key: str) -> Person:
        """By object id, user principal name or mail, without case."""
        if key in self.people:
            return self.people[key]
        wanted = key.strip().lower()
        for person in self.people.values():
            if wanted in (person.user_principal_name.lower(), person.provisioned_principal_name().lower()):
                return person
        for person in self.people.values():
            if wanted and wanted == (person.mail or "").lower():
                return person
        raise TenantError(f"nobody here is {key!r}")

    def app(self, key: str) -> EnterpriseApp:
        """By app id, service principal id, identifier or company name."""
        for app in self.apps.values():
            if key and key in (app.app_id, app.service_principal_id, app.identifier, app.company):
                return app
        raise TenantError(f"no enterprise app is {key!r}")

    def job(self, app: EnterpriseApp) -> JobState:
        return self.jobs.setdefault(app.app_id, JobState())

    def assigned(self, app: EnterpriseApp) -> tuple[str, ...]:
        return self.groups[app.group_id].members

    def groups_of(self, object_id: str) -> list[Group]:
        return [group for group in self.groups.values() if object_id in group.members]

    def apps_of(self, object_id: str) -> list[EnterpriseApp]:
        return [app for app in self.apps.values() if object_id in self.assigned(app)]

    # People

    def add_person(self, user_principal_name: str, display_name: str, **attributes: Any) -> Person:
        object_id = attributes.pop("object_id", None) or str(uuid.uuid4())
        person = Person(
            object_id=object_id,
            user_principal_name=user_principal_name,
            display_name=display_name,
            **attributes,
        )
        return self._store(person)

    def edit_person(self, key: str, **changes: Any) -> Person:
        return self._store(msgspec.structs.replace(self.person(key), **changes))

    def block(self, key: str) -> Person:
        return self.edit_person(key, account_enabled=False)

    def unblock(self, key: str) -> Person:
        return self.edit_person(key, account_enabled=True)

    def delete(self, key: str) -> Person:
        return self.edit_person(key, deleted_at=self.clock())

    def restore(self, key: str) -> Person:
        return self.edit_person(key, deleted_at=None)

    def purge(self, key: str) -> Person:
        """For good, as after 30 days in the recycle bin; also from every group and as anybody's manager."""
        person = self.person(key)
        if person.deleted_at is None:
            raise TenantError(f"{person.display_name} is not in the recycle bin; delete first")
        del self.people[person.object_id]
        for group in list(self.groups.values()):
            if person.object_id in group.members:
                self._set_members(group, (m for m in group.members if m != person.object_id))
        for report in list(self.people.values()):
            if report.manager == person.object_id:
                self._store(msgspec.structs.replace(report, manager=None))
        self._touch()
        return person

    def _store(self, person: Person) -> Person:
        if not person.user_principal_name.strip():
            raise TenantError("userPrincipalName must not be empty")
        _check_text(person)
        for other in self.people.values():
            same_name = other.user_principal_name.lower() == person.user_principal_name.lower()
            if same_name and other.object_id != person.object_id:
                raise TenantError(f"{person.user_principal_name} belongs to {other.display_name} already")
        if person.manager is not None and person.manager not in self.people:
            person = msgspec.structs.replace(person, manager=self.person(person.manager).object_id)
        revision = self._touch(notify=False)
        person = msgspec.structs.replace(person, revision=revision)
        self.people[person.object_id] = person
        self.notify()
        return person

    # Groups and assignment

    def add_group(self, display_name: str, object_id: str | None = None) -> Group:
        group = Group(object_id=object_id or str(uuid.uuid4()), display_name=display_name, revision=self._touch())
        self.groups[group.object_id] = group
        self.notify()
        return group

    def rename_group(self, group_id: str, display_name: str) -> Group:
        renamed = msgspec.structs.replace(self.groups[group_id], display_name=display_name, revision=self._touch())
        self.groups[group_id] = renamed
        self.notify()
        return renamed

    def set_members(self, group_id: str, members: Iterable[str]) -> None:
        """Exactly these people, by object id."""
        self._set_members(self.groups[group_id], members)
        self.notify()

    def assign(self, app: EnterpriseApp, key: str) -> None:
        """Adds the person to the app's group."""
        person, group = self.person(key), self.groups[app.group_id]
        if person.object_id not in group.members:
            self._set_members(group, (*group.members, person.object_id))
            self._store(person)

    def unassign(self, app: EnterpriseApp, key: str) -> None:
        person, group = self.person(key), self.groups[app.group_id]
        if person.object_id in group.members:
            self._set_members(group, (m for m in group.members if m != person.object_id))
            self._store(person)

    def _set_members(self, group: Group, members: Iterable[str]) -> None:
        revision = self._touch(notify=False)
        self.groups[group.object_id] = msgspec.structs.replace(group, members=tuple(members), revision=revision)

    # Apps

    def add_app(self, name: str, company: str, **settings: Any) -> EnterpriseApp:
        """With its own group and first active certificate unless given."""
        group_id = settings.pop("group_id", None) or self.add_group(f"BitaBIZ {company}").object_id
        certificates = settings.pop("certificates", None) or (new_certificate(self.clock(), active=True),)
        app_id = settings.pop("app_id", None) or str(uuid.uuid4())
        principal = settings.pop("service_principal_id", None) or str(uuid.uuid4())
        app = EnterpriseApp(
            app_id=app_id,
            service_principal_id=principal,
            name=name,
            company=company,
            group_id=group_id,
            certificates=certificates,
            **settings,
        )
        _check_text(app)
        self.apps[app_id] = app
        self.notify()
        return app

    def configure(self, app: EnterpriseApp, **changes: Any) -> EnterpriseApp:
        """Changes single sign-on settings. An Identifier stands in one app of a tenant only, as in the portal."""
        identifier = changes.get("identifier")
        for other in self.apps.values():
            if identifier and other.app_id != app.app_id and other.identifier == identifier:
                raise TenantError(f"the identifier {identifier} is used by {other.name} already")
        replaced = msgspec.structs.replace(self.apps[app.app_id], **changes)
        _check_text(replaced)
        self.apps[app.app_id] = replaced
        self.notify()
        return replaced

    def configure_provisioning(self, app: EnterpriseApp, **changes: Any) -> EnterpriseApp:
        """Changes provisioning settings. New mappings begin a new initial cycle (how-provisioning-works.md)."""
        before = self.apps[app.app_id].provisioning
        settings = msgspec.structs.replace(before, **changes)
        if settings.mappings != before.mappings or settings.tenant_url != before.tenant_url:
            self.job(app).watermark = None
        return self.configure(app, provisioning=settings)

    def new_certificate(self, app: EnterpriseApp, *, active: bool = False) -> Certificate:
        """A new certificate is inactive until it is made active."""
        certificate = new_certificate(self.clock())
        self.configure(app, certificates=(*self.apps[app.app_id].certificates, certificate))
        if active:
            self.activate_certificate(app, certificate.thumbprint)
        return certificate

    def activate_certificate(self, app: EnterpriseApp, thumbprint: str) -> None:
        certificates = self.apps[app.app_id].certificates
        if thumbprint not in {certificate.thumbprint for certificate in certificates}:
            raise TenantError(f"the app has no certificate {thumbprint}")
        self.configure(
            app,
            certificates=tuple(msgspec.structs.replace(c, active=c.thumbprint == thumbprint) for c in certificates),
        )

    def _touch(self, *, notify: bool = True) -> int:
        self.revision += 1
        if notify:
            self.notify()
        return self.revision

    def notify(self) -> None:
        for hook in self.changed:
            hook()


def _check_text(value: msgspec.Struct) -> None:
    for field, text in msgspec.structs.asdict(value).items():
        if isinstance(text, str) and _UNPRINTABLE.search(text):
            raise TenantError(f"{field} holds a character that cannot be stored")
