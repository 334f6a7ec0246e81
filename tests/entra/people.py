"""What the tenant holds: people, groups, enterprise apps, signing certificates, provisioning settings.

Values only, all frozen; `tenant.Tenant` guards the changes. The names on the wire of the admin API are those of
Microsoft Graph (`userPrincipalName`, `accountEnabled`).
"""

from datetime import datetime
from typing import Literal

import msgspec

from tests.entra.token_requests import TokenSettings

SigningOption = Literal["assertion", "response", "both"]
Dialect = Literal["legacy", "compliant"]
ManagerRemoval = Literal["silent", "remove", "remove_with_value", "remove_filtered", "empty"]

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
EMAIL_ADDRESS_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"


class Person(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    object_id: str
    user_principal_name: str
    display_name: str
    given_name: str | None = None
    surname: str | None = None
    mail: str | None = None
    job_title: str | None = None
    department: str | None = None
    manager: str | None = None
    """Object id of the manager."""
    mobile: str | None = None
    telephone_number: str | None = None
    country: str | None = None
    employee_id: str | None = None
    employee_leave_date_time: str | None = None
    """ISO 8601, as Graph shows it; companies without it use an extension attribute."""
    user_type: Literal["member", "guest"] = "member"
    identity_provider: str | None = None
    """Home identity provider of a guest; None means this tenant."""
    account_enabled: bool = True
    deleted_at: datetime | None = None
    revision: int = 0
    """The tenant's change counter at the last change of this person or of a membership; what watermarks compare."""

    @property
    def is_soft_deleted(self) -> bool:
        """The [IsSoftDeleted] of attribute mappings, without the part that concerns assignment.

        Source: entra-docs customize-application-attributes.md: also true for a blocked account.
        """
        return self.deleted_at is not None or not self.account_enabled

    def attribute(self, source: str) -> str | None:
        """A source attribute by the name the portal gives it, with or without the `user.` of claims."""
        match source.removeprefix("user.").lower():
            case "originaluserprincipalname":
                return self.user_principal_name
            case "objectid":
                return self.object_id
            case "mailnickname":
                return self.user_principal_name.split("@")[0]
            case "telephonenumber":
                return self.telephone_number
            case name:
                field = _FIELDS_BY_LOWER_NAME.get(name)
                value = getattr(self, field) if field else None
                return value if isinstance(value, str) else None

    def provisioned_principal_name(self) -> str:
        """The UPN as mappings see it: a guest's `a_b.dk#EXT#@tenant` is `a@b.dk` (how-provisioning-works.md)."""
        alias, external, _ = self.user_principal_name.partition("#EXT#")
        return "@".join(alias.rsplit("_", 1)) if external else self.user_principal_name


_FIELDS_BY_LOWER_NAME = {field.replace("_", ""): field for field in Person.__struct_fields__}


class Group(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    object_id: str
    display_name: str
    members: tuple[str, ...] = ()
    revision: int = 0


class Certificate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    thumbprint: str
    """SHA-1 of the DER form in upper-case hexadecimal, as the portal shows it."""
    pem: str
    key_pem: str
    not_before: datetime
    not_after: datetime
    active: bool = False


class Mapping(msgspec.Struct, frozen=True, rename="camel"):
    """One row of the attribute mapping: where it comes from in Entra, where it goes in SCIM."""

    source: str
    target: str


DEFAULT_MAPPINGS = (
    Mapping("userPrincipalName", "userName"),
    Mapping("Not([IsSoftDeleted])", "active"),
    Mapping("displayName", "displayName"),
    Mapping("jobTitle", "title"),
    Mapping("userPrincipalName", 'emails[type eq "work"].value'),
    Mapping("givenName", "name.givenName"),
    Mapping("surname", "name.familyName"),
    Mapping("country", 'addresses[type eq "work"].country'),
    Mapping("telephoneNumber", 'phoneNumbers[type eq "work"].value'),
    Mapping("mobile", 'phoneNumbers[type eq "mobile"].value'),
    Mapping("department", f"{ENTERPRISE}:department"),
    Mapping("manager", f"{ENTERPRISE}:manager"),
)


class ProvisioningSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    tenant_url: str = ""
    token: str = ""
    oauth: TokenSettings | None = None
    """In place of the token."""
    dialect: Dialect = "legacy"
    matching_attribute: str = "userName"
    mappings: tuple[Mapping, ...] = DEFAULT_MAPPINGS
    provision_groups: bool = False
    further_groups: tuple[str, ...] = ()
    """Object ids of groups that are provisioned beside the app's own. They bring nobody into scope: a member who is not there
    by the app's group is left out (known-issues.md)."""
    manager_removal: ManagerRemoval = "silent"
    """What the removal of a manager sends. Public sources disagree, so all documented forms are here; null is
    skipped by default, like every cleared attribute (known-issues.md)."""

    @property
    def is_federated(self) -> bool:
        return self.oauth is not None and not self.oauth.client_secret


class EnterpriseApp(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    app_id: str
    service_principal_id: str
    name: str
    company: str
    group_id: str
    """The assigned group: its direct members are the assigned people."""
    email_domains: tuple[str, ...] = ()
    identifier: str = ""
    reply_url: str = ""
    sign_on_url: str = ""
    logout_url: str = ""
    relay_state: str = ""
    assignment_required: bool = True
    sign: SigningOption = "assertion"
    signature_algorithm: Literal["sha256", "sha1"] = "sha256"
    name_id_source: str = "user.userprincipalname"
    name_id_format: str = EMAIL_ADDRESS_FORMAT
    groups_claim: bool = False
    certificates: tuple[Certificate, ...] = ()
    provisioning: ProvisioningSettings = ProvisioningSettings()

    @property
    def configured(self) -> bool:
        return bool(self.identifier and self.reply_url)
