"""Routes of `/provisioning` about employees: scim-ingest only."""

from functools import partial

from starlette.routing import Route

from directory.database import Database
from directory.employees import operations as do
from directory.rpc import serve
from shared import operations as declared
from shared.http.service_auth import CallerSecrets


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.PROVISION_EMPLOYEE, callers, partial(do.provision_employee, database)),
        serve(declared.NOTE_MAPPING, callers, partial(do.note_mapping, database)),
        serve(declared.GET_EMPLOYEE, callers, partial(do.get_employee, database)),
        serve(declared.FIND_EMPLOYEES, callers, partial(do.find_employees, database)),
        serve(declared.CHANGE_EMPLOYEE, callers, partial(do.change_employee, database)),
        serve(declared.REMOVE_EMPLOYEE, callers, partial(do.remove_employee, database)),
    ]
