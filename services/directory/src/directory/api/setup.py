"""Routes of `/setup` about history: what a Setup admin may look up, by his session."""

from starlette.routing import Route

from directory.access import setup
from directory.api import people
from directory.database import Database
from directory.rpc import serve
from shared.errors import DomainError, ErrorCode
from shared.http.service_auth import CallerSecrets
from shared.operations import GET_EMPLOYEE_AS_OF, READ_EMPLOYEE_HISTORY
from shared.schemas.history import EmployeeAsOf, EmployeeHistory, EmployeeView, HistoryPage

LIMIT_MAX = 500


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    async def get_employee_as_of(request: EmployeeAsOf) -> EmployeeView:
        async with setup(database, request.session, reading=True) as tx:
            return await people.employee(tx, request.employee_id, request.at)

    async def read_employee_history(request: EmployeeHistory) -> HistoryPage:
        async with setup(database, request.session, reading=True) as tx:
            if not 1 <= request.limit <= LIMIT_MAX:
                raise DomainError(ErrorCode.invalid_request, f"limit is 1 to {LIMIT_MAX}.", field="limit")
            return await people.history(
                tx, request.employee_id, request.after, request.limit, newest_first=request.newest_first
            )

    return [
        serve(GET_EMPLOYEE_AS_OF, callers, get_employee_as_of),
        serve(READ_EMPLOYEE_HISTORY, callers, read_employee_history),
    ]
