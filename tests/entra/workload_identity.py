"""The tenant's workload identity on the web: its published keys, and the values that the portal shows for federation."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.entra.tenant import TenantError
from tests.entra.web import simulator


async def keys(request: Request) -> Response:
    simulator_ = simulator(request)
    if request.path_params["tenant"] != simulator_.tenant.tenant_id:
        raise TenantError("no tenant has this id")
    return JSONResponse(simulator_.workload().key_set())


async def values(request: Request) -> Response:
    """To be given to `directory company federation`."""
    workload = simulator(request).workload()
    return JSONResponse({"issuer": workload.issuer, "audience": workload.audience, "subject": workload.subject})


ROUTES = [
    Route("/{tenant}/discovery/v2.0/keys", keys),
    Route("/admin/workload-identity", values),
]
