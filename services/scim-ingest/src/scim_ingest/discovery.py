"""`/ServiceProviderConfig`, `/ResourceTypes`, `/Schemas`: what is here, generated from the table of attributes.

Without a token (RFC 7643 section 5) they say nothing about a company, not even whether there is one; a token that is sent must be
right, and then `interopProfileConformant` is there where the company is in strict mode. What we do not do says false.
"""

from collections.abc import Callable
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scim_ingest import metrics
from scim_ingest.credential import company_of
from scim_ingest.exchange import Answer, Endpoint, check_accept, endpoint, parameters_of, refuse, respond, route
from scim_ingest.metrics import Operation
from scim_ingest.protocol.attributes import (
    ACTIVE,
    CORE,
    DESCRIPTIONS,
    EXTENSIONS,
    GROUP,
    NODES,
    SCHEMAS,
    Attribute,
    Complex,
    Multi,
    Node,
    Simple,
)
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.listing import DEFAULT_COUNT, LIST_RESPONSE, MAX_COUNT
from scim_ingest.settings import Settings
from shared.directory_client import DirectoryClient
from shared.schemas.employee import CheckCredential, ScimCredential
from shared.telemetry.logs import EventLog

SERVICE_PROVIDER_CONFIG = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
RESOURCE_TYPE = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Schema"

Document = dict[str, object]
Maker = Callable[[str, str], Document]
"""Makes a document, given the company's base address and the name in the path."""


class Discovery:
    """The handlers, with what they share."""

    def __init__(self, directory: DirectoryClient, settings: Settings, log: EventLog) -> None:
        self._directory = directory
        self._base_url = settings.public_url.rstrip("/")
        self._log = log
        limits = {"maxOperations": settings.bulk_max_operations, "maxPayloadSize": settings.max_body_bytes}
        self._bulk: Document = {"supported": True, **limits}

    def routes(self) -> list[Route]:
        base = "/scim/v2/{company}"
        config = self._endpoint("config", self._config, in_strict_mode={"interopProfileConformant": True})
        return [
            route(f"{base}/ServiceProviderConfig", GET=config),
            route(f"{base}/ResourceTypes", GET=self._endpoint("config", _resource_types)),
            route(f"{base}/ResourceTypes/{{name}}", GET=self._endpoint("config", _resource_type)),
            route(f"{base}/Schemas", GET=self._endpoint("schema", _schemas)),
            route(f"{base}/Schemas/{{name}}", GET=self._endpoint("schema", _schema)),
        ]

    def _endpoint(self, operation: Operation, document: Maker, *, in_strict_mode: Document | None = None) -> Endpoint:
        """Without a token: the document. With one: checked by directory first, and what holds in strict mode is added."""

        async def checked(request: Request, credential: ScimCredential) -> Answer:
            company = await self._directory.check_credential(CheckCredential(credential=credential))
            told = in_strict_mode if in_strict_mode is not None and company.strict else {}
            return Answer(200, "read", {**self._document(request, document), **told})

        with_token = endpoint(operation, checked, self._log)

        async def answer(request: Request) -> Response:
            try:
                check_accept(request)
                # RFC 7644 section 4: "a filter is provided ... respond with HTTP status code 403".
                if "filter" in parameters_of(request):
                    raise ScimError(403, "Discovery documents cannot be filtered.")
                if "authorization" in request.headers:
                    return await with_token(request)
                found = self._document(request, document)
            except ScimError as error:
                metrics.REQUESTS.labels(operation, metrics.result_of_refusal(error.status)).inc()
                return refuse(error, self._log)
            metrics.REQUESTS.labels(operation, "read").inc()
            return respond(200, found)

        return answer

    def _document(self, request: Request, document: Maker) -> Document:
        company = company_of(request)
        if company is None:
            raise ScimError(404, "There is no such company.")
        return document(f"{self._base_url}/scim/v2/{company}", str(request.path_params.get("name", "")))

    def _config(self, base: str, _name: str) -> Document:
        return _config(base, self._bulk)


# What every company may choose; which one uses what, discovery does not say.
_AUTHENTICATION: tuple[Document, ...] = (
    {
        "type": "oauth2",
        "name": "OAuth 2.0 client credentials",
        "description": "An access token of one hour from /oauth2/token below the Tenant URL, which is described by "
        "/.well-known/oauth-authorization-server beside it",
        "specUri": "https://www.rfc-editor.org/info/rfc6749",
        "primary": True,
    },
    {
        "type": "oauthbearertoken",
        "name": "SCIM token",
        "description": "The company's token as Authorization: Bearer; several may be valid at once",
        "specUri": "https://www.rfc-editor.org/info/rfc6750",
        "primary": False,
    },
)


def _config(base: str, bulk: Document) -> Document:
    return {
        "schemas": [SERVICE_PROVIDER_CONFIG],
        "patch": {"supported": True},
        "bulk": bulk,
        "filter": {"supported": True, "maxResults": MAX_COUNT},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        # RFC 9865 section 4.
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_COUNT,
            "maxPageSize": MAX_COUNT,
        },
        "authenticationSchemes": list(_AUTHENTICATION),
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def _list(resources: list[Document]) -> Document:
    return {
        "schemas": [LIST_RESPONSE],
        "totalResults": len(resources),
        "startIndex": 1,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def _resource_types(base: str, _name: str) -> Document:
    return _list([_resource_type(base, name) for name in ("User", "Group")])


def _resource_type(base: str, name: str) -> Document:
    if name == "Group":
        return {
            "schemas": [RESOURCE_TYPE],
            "id": "Group",
            "name": "Group",
            "endpoint": "/Groups",
            "description": "A group of employees",
            "schema": GROUP,
            "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/Group"},
        }
    if name != "User":
        raise ScimError(404, "The resource types are User and Group.")
    return {
        "schemas": [RESOURCE_TYPE],
        "id": "User",
        "name": "User",
        "endpoint": "/Users",
        "description": "An employee",
        "schema": CORE,
        "schemaExtensions": [{"schema": urn, "required": False} for urn in EXTENSIONS],
        "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/User"},
    }


def _schemas(base: str, _name: str) -> Document:
    return _list([_schema(base, urn) for urn in (*SCHEMAS, GROUP)])


def _schema(base: str, name: str) -> Document:
    if name.lower() == GROUP.lower():
        return _group_schema(base)
    urn = next((urn for urn in SCHEMAS if urn.lower() == name.lower()), None)
    if urn is None:
        raise ScimError(404, "There is no such schema.")
    title, description = EXTENSIONS.get(urn, ("User", "An employee"))
    return {
        "schemas": [SCHEMA],
        "id": urn,
        "name": title,
        "description": description,
        "attributes": _attributes(urn),
        "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{urn}"},
    }


def _group_schema(base: str) -> Document:
    return {
        "schemas": [SCHEMA],
        "id": GROUP,
        "name": "Group",
        "description": "A group of employees",
        "attributes": _GROUP_ATTRIBUTES,
        "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{GROUP}"},
    }


@lru_cache
def _attributes(urn: str) -> list[Document]:
    # Cached: a schema does not change while the process lives, and nobody changes the list.
    return [_node_document(node) for node in NODES[urn.lower()].values()]


def _node_document(node: Node) -> Document:
    if isinstance(node, Simple):
        return _value_document(node.attribute, node.attribute.name)
    rows = list(node.subs.values()) if isinstance(node, Complex) else _first_element(node)
    subs = [_value_document(row, row.sub or "") for row in rows]
    if isinstance(node, Multi):
        subs.append(_type_document(node))
    if node.name == "manager":
        subs.append(_reference_document())
    return {
        "name": node.name,
        "type": "complex",
        "multiValued": isinstance(node, Multi),
        "description": DESCRIPTIONS[node.name],
        "required": any(row.mandatory for row in rows),
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
        "subAttributes": subs,
    }


def _first_element(node: Multi) -> list[Attribute]:
    return list(next(iter(node.elements.values())).values())


def _value_document(row: Attribute, name: str) -> Document:
    return {
        "name": name,
        "type": row.kind,
        "multiValued": False,
        "description": row.text,
        # `active` is mandatory in the mapping and cannot be cleared; a create without it counts as true (A28).
        "required": row.mandatory or row is ACTIVE,
        "caseExact": row.case_exact,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "server" if row.unique else "none",
    }


def _type_document(node: Multi) -> Document:
    """Microsoft's discovery test needs the canonical values to know `phoneNumbers[type eq "mobile"].value`."""
    return {
        "name": "type",
        "type": "string",
        "multiValued": False,
        "description": "Which element",
        "required": False,
        "caseExact": False,
        "canonicalValues": list(node.elements),
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    }


def _reference_document() -> Document:
    return {
        "name": "$ref",
        "type": "reference",
        "referenceTypes": ["User"],
        "multiValued": False,
        "description": "Address of the manager, once he is here",
        "required": False,
        "caseExact": True,
        "mutability": "readOnly",
        "returned": "default",
        "uniqueness": "none",
    }


def _text(name: str, description: str, **changes: object) -> Document:
    plain: Document = {
        "name": name,
        "type": "string",
        "multiValued": False,
        "description": description,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    }
    return {**plain, **changes}


_GROUP_ATTRIBUTES: list[Document] = [
    _text("displayName", "Name, unique in the company", required=True, uniqueness="server"),
    _text("externalId", "The sender's own key, best the Entra object id", caseExact=True, uniqueness="server"),
    {
        **_text("members", "The employees in it"),
        "type": "complex",
        "multiValued": True,
        "subAttributes": [
            _text("value", "The id of the user", caseExact=True, mutability="immutable"),
            _text(
                "$ref",
                "Address of the user",
                type="reference",
                referenceTypes=["User"],
                caseExact=True,
                mutability="immutable",
            ),
            _text("type", "What it is: there are users only", canonicalValues=["User"], mutability="immutable"),
        ],
    },
]
"""RFC 7643 section 4.2. Groups have no groups in them: Entra expands none."""
