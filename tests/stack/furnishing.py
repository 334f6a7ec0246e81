"""What the demo company has beside its people from Entra: what HR imported and granted, and what the application reads with.

Done once, when the company comes on board; the credential is kept beside its manifest, for its owner alone, because it is shown
only once. What somebody has changed since stays so.
"""

from pathlib import Path

from directory.api import credentials
from directory.approvers import grants
from directory.cli.environment import operator, owner_database
from directory.database import Database
from directory.employees.people import find
from directory.imports.operations import import_file
from directory.settings import DatabaseSettings
from tests.stack.options import read_env, write_env

COMPANY = "contoso"
IMPORTED = "bente.krogh@contoso.com"
"""Has no account in Entra: she drives a truck."""

PEOPLE = """\
Brugernavn;E-mail;Fornavn;Efternavn;Jobtitel;Afdeling;Land;Lønnummer;Direkte godkender;Ansættelsesdato;Politik
bente.krogh@contoso.com;bente.krogh@contoso.com;Bente;Krogh;Truckfører;Lager;Danmark;00417;peter.oconnor@contoso.com;01-08-2019;Timelønnet
anders.baek@contoso.com;anders.baek@contoso.com;Anders;Bæk;;;;00108;;01-03-2021;Funktionær
"""
ROLES = (
    ("hanne.kjaer@contoso.com", "setup_admin", ()),
    ("morten.dahl@contoso.com", "approver", ("Lager",)),
)


async def furnish(settings: DatabaseSettings, folder: Path, *, new: bool) -> str:
    """The application's credential; `new`: the company has just come on board. Raises RuntimeError."""
    path = folder / "demo" / f"{COMPANY}.credential.env"
    if not new and path.exists():
        return read_env(path)["CREDENTIAL"]
    async with owner_database(settings) as database:
        await _import(database)
        async with database.scope_for_name(COMPANY).transaction(operator()) as tx:
            for person, role, departments in ROLES:
                await grants.grant_role(tx, await find(tx, person), role, departments)
            issued = await credentials.issue(tx, credentials.SCOPES, None)
    write_env(path, {"CREDENTIAL": issued.credential})
    return issued.credential


async def _import(database: Database) -> None:
    done = await import_file(database.scope_for_name(COMPANY), operator(), PEOPLE.encode())
    if done.problems:
        raise RuntimeError(f"The demo's import was refused: {done.problems[0].sentence}")
