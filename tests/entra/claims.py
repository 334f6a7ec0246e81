"""The claims Entra puts into an assertion, in its order.

tenantid, objectidentifier, displayname, groups or groups.link, identityprovider, authnmethodsreferences, then
givenname, surname, emailaddress, name. An attribute the person does not have drops its whole Attribute element.
"""

from tests.entra.people import EnterpriseApp, Person
from tests.entra.tenant import Tenant

Claim = tuple[str, tuple[str, ...]]

MICROSOFT = "http://schemas.microsoft.com/identity/claims/"
XMLSOAP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
TENANT_ID = f"{MICROSOFT}tenantid"
OBJECT_ID = f"{MICROSOFT}objectidentifier"
DISPLAY_NAME = f"{MICROSOFT}displayname"
IDENTITY_PROVIDER = f"{MICROSOFT}identityprovider"
METHODS = "http://schemas.microsoft.com/claims/authnmethodsreferences"
GROUPS = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
GROUPS_LINK = "http://schemas.microsoft.com/claims/groups.link"
PASSWORD_METHOD = "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password"

GROUPS_LIMIT = 150
"""More groups than this and SAML gets a link instead (how-to-connect-fed-group-claims.md)."""


def claims_for(tenant: Tenant, app: EnterpriseApp, person: Person) -> tuple[Claim, ...]:
    wanted: list[tuple[str, str | None]] = [
        (TENANT_ID, tenant.tenant_id),
        (OBJECT_ID, person.object_id),
        (DISPLAY_NAME, person.display_name),
    ]
    after: list[tuple[str, str | None]] = [
        (IDENTITY_PROVIDER, person.identity_provider or tenant.issuer),
        (METHODS, PASSWORD_METHOD),
        (f"{XMLSOAP}givenname", person.given_name),
        (f"{XMLSOAP}surname", person.surname),
        (f"{XMLSOAP}emailaddress", person.mail),
        (f"{XMLSOAP}name", person.user_principal_name),
    ]
    return (*_present(wanted), *_groups(tenant, app, person), *_present(after))


def _present(claims: list[tuple[str, str | None]]) -> list[Claim]:
    return [(name, (value,)) for name, value in claims if value]


def _groups(tenant: Tenant, app: EnterpriseApp, person: Person) -> list[Claim]:
    if not app.groups_claim:
        return []
    ids = tuple(group.object_id for group in tenant.groups_of(person.object_id))
    if len(ids) > GROUPS_LIMIT:
        link = f"https://graph.windows.net/{tenant.tenant_id}/users/{person.object_id}/getMemberObjects"
        return [(GROUPS_LINK, (link,))]
    return [(GROUPS, ids)] if ids else []
