"""The tenant on disk: one JSON file, written whole and moved into place, readable by its owner only.

It holds signing keys and tokens of the simulated tenant.
"""

import os
from pathlib import Path

import msgspec

from tests.entra.people import EnterpriseApp, Group, Person
from tests.entra.tenant import Clock, JobState, Tenant, utc_now

FILE_NAME = "tenant.json"


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    tenant_id: str
    name: str
    domain: str
    revision: int
    people: list[Person]
    groups: list[Group]
    apps: list[EnterpriseApp]
    jobs: dict[str, JobState]


def save(tenant: Tenant, directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    snapshot = Snapshot(
        tenant_id=tenant.tenant_id,
        name=tenant.name,
        domain=tenant.domain,
        revision=tenant.revision,
        people=list(tenant.people.values()),
        groups=list(tenant.groups.values()),
        apps=list(tenant.apps.values()),
        jobs=tenant.jobs,
    )
    unfinished = directory / f"{FILE_NAME}.new"
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(snapshot))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(directory / FILE_NAME)


def load(directory: Path, clock: Clock = utc_now) -> Tenant | None:
    """None when nothing was saved there.

    Raises: msgspec.DecodeError, when the file is not ours.
    """
    try:
        content = (directory / FILE_NAME).read_bytes()
    except FileNotFoundError:
        return None
    snapshot = msgspec.json.decode(content, type=Snapshot)
    tenant = Tenant(snapshot.tenant_id, snapshot.name, snapshot.domain, clock)
    tenant.revision = snapshot.revision
    tenant.people = {person.object_id: person for person in snapshot.people}
    tenant.groups = {group.object_id: group for group in snapshot.groups}
    tenant.apps = {app.app_id: app for app in snapshot.apps}
    tenant.jobs = snapshot.jobs
    return tenant
