"""A Setup admin of a company under test: his live session, and what he asks of directory with it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import get_args

from directory.approvers.grants import grant_role, revoke_role
from directory.database import Actor
from shared.directory_client import DirectoryClient
from shared.ids import EmployeeId, employee_from_text
from shared.schemas.approvers import (
    ApprovalProblems,
    ChangeRole,
    ExplainApprovers,
    ExplainedApprovers,
    FollowingPreview,
    ListApprovalProblems,
    PreviewFollowing,
    Role,
    Roles,
    SetOnlyDirectApprover,
)
from shared.schemas.login import SessionCredential
from shared.tokens import company_of_token, sha256
from sso_gateway.sessions.cookies import SESSION
from tests.entra.people import Person
from tests.support.browser import Browser
from tests.support.company import Company
from tests.support.stack import GATEWAY_SECRET


@dataclass(frozen=True)
class SetupAdmin:
    """What a page of Setup admin would ask."""

    client: DirectoryClient
    session: SessionCredential
    employee_id: str

    async def explain(self, person: str) -> ExplainedApprovers:
        return await self.client.explain_approvers(ExplainApprovers(session=self.session, person=person))

    async def who(self, person: str) -> dict[str, str]:
        """Given name of everybody who approves -> why."""
        return {one.name.split()[0]: one.reason.value for one in (await self.explain(person)).approvers}

    async def problems(self, *, limit: int = 1000, after: str | None = None) -> ApprovalProblems:
        request = ListApprovalProblems(session=self.session, limit=limit, after=after)
        return await self.client.list_approval_problems(request)

    async def preview(self, follow: bool, *, limit: int = 1000) -> FollowingPreview:
        request = PreviewFollowing(session=self.session, follow_entra_managers=follow, limit=limit)
        return await self.client.preview_following(request)

    async def grant(self, person: str, role: str = "approver", departments: Sequence[str] = ()) -> Roles:
        return await self.client.grant_role(self._change(person, role, departments))

    async def revoke(self, person: str, role: str = "approver", departments: Sequence[str] = ()) -> Roles:
        return await self.client.revoke_role(self._change(person, role, departments))

    async def only_direct(self, person: str, only: bool = True) -> Roles:
        request = SetOnlyDirectApprover(session=self.session, person=person, only_direct_approver=only)
        return await self.client.set_only_direct_approver(request)

    def _change(self, person: str, role: str, departments: Sequence[str]) -> ChangeRole:
        return ChangeRole(session=self.session, person=person, role=role, departments=list(departments))


@asynccontextmanager
async def signed_in(
    company: Company, browser: Browser, person: Person, *, roles: Sequence[str]
) -> AsyncIterator[SetupAdmin]:
    """A person whom Entra has provisioned, with these roles, signed in."""
    await company.sign_in(browser, person)
    employee_id = str((await company.session(browser)).json["employee_id"])
    async with company.stack.database.scope_for_name(company.name).transaction(Actor("operator", "test")) as tx:
        for role in roles:
            await grant_role(tx, _id(employee_id), role)
    token = browser.cookies(company.stack.sso_url)[SESSION]
    session = SessionCredential(company_id=str(company_of_token(token)), session_sha256=sha256(token).hex())
    async with DirectoryClient(company.stack.directory_url, GATEWAY_SECRET) as client:
        yield SetupAdmin(client, session, employee_id)


async def set_roles(company: Company, person: Person, roles: Sequence[str]) -> None:
    """The roles that a person of the company has by hand, these and no others."""
    employee = _id(company.scim_id(person))
    async with company.stack.database.scope_for_name(company.name).transaction(Actor("operator", "test")) as tx:
        for role in get_args(Role):
            await (grant_role if role in roles else revoke_role)(tx, employee, role)


def _id(text: str) -> EmployeeId:
    found = employee_from_text(text)
    assert found is not None
    return found
