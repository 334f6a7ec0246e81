"""Approval of a company in directory alone: what is asked and decided, as short verbs with names instead of ids."""

from typing import Any

from directory.approvers import grants, operations
from shared.approval import ProblemKind
from shared.schemas.approvers import ApprovalProblems, ExplainedApprovers, FollowingPreview, Roles
from shared.schemas.employee import Employee
from tests.support.firm import Firm, uuid_of


class Approval:
    """`who` answers given name -> reason; people are told apart by their given names."""

    def __init__(self, firm: Firm) -> None:
        self.firm = firm

    async def person(self, name: str, **values: Any) -> Employee:
        return await self.firm.create(login=f"{name.lower()}@firma.dk", given_name=name, family_name="Holm", **values)

    async def explain(self, employee: Employee) -> ExplainedApprovers:
        async with self.firm.operator() as tx:
            return await operations.explain_approvers(tx, uuid_of(employee))

    async def who(self, employee: Employee) -> dict[str, str]:
        told = await self.explain(employee)
        return {one.name.removesuffix(" Holm"): one.reason.value for one in told.approvers}

    async def kinds(self, employee: Employee) -> list[str]:
        return [problem.kind.value for problem in (await self.explain(employee)).problems]

    async def grant(self, employee: Employee, role: str = "approver", *departments: str) -> Roles:
        async with self.firm.operator() as tx:
            return await grants.grant_role(tx, uuid_of(employee), role, departments)

    async def revoke(self, employee: Employee, role: str = "approver", *departments: str) -> Roles:
        async with self.firm.operator() as tx:
            return await grants.revoke_role(tx, uuid_of(employee), role, departments)

    async def only_direct(self, employee: Employee, only: bool = True) -> Roles:
        async with self.firm.operator() as tx:
            return await grants.set_only_direct_approver(tx, uuid_of(employee), only)

    async def problems(self, *kinds: ProblemKind, after: str | None = None, limit: int = 1000) -> ApprovalProblems:
        async with self.firm.operator() as tx:
            return await operations.list_problems(tx, kinds=kinds, after=after, limit=limit)

    async def preview(self, follow: bool, *, after: str | None = None, limit: int = 1000) -> FollowingPreview:
        async with self.firm.operator() as tx:
            return await operations.preview_following(tx, follow=follow, after=after, limit=limit)

    async def follow(self, follow: bool) -> None:
        await self.firm.as_owner(
            "update companies set follow_entra_managers = $2 where company_id = $1", self.firm.company_id, follow
        )

    async def chosen(self, employee: Employee, manager: Employee, owner: str = "hr") -> None:
        """As if HR or an import had named the manager."""
        await self.firm.as_owner(
            "update employees set manager_id = $2, manager_ref = $3, manager_key = $3, "
            "owners = owners || jsonb_build_object('manager_ref', jsonb_build_array($4::text, '2026-01-01T00:00:00Z')) "
            "where employee_id = $1",
            uuid_of(employee),
            uuid_of(manager),
            manager.id,
            owner,
        )

    async def block(self, employee: Employee, blocked: bool = True) -> None:
        await self.firm.as_owner(
            "update employees set blocked_at = case when $2 then now() end where employee_id = $1",
            uuid_of(employee),
            blocked,
        )
