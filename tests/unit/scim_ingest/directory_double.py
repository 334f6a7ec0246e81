"""A directory in memory, for tests of what scim-ingest itself does.

It keeps employees, refuses a name that is taken, and counts calls. The rules of matching and lifecycle are directory's own
and are tested there; what is here is the least that a SCIM client can see.
"""

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, replace

from shared.clock import system_clock
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text, new_employee_id
from shared.schemas import employee as schemas
from shared.schemas import oauth
from shared.tokens import sha256
from tests.support.searching import meets


class DirectoryDouble(DirectoryClient):
    def __init__(self) -> None:
        super().__init__("http://directory.invalid", "no secret needed here")
        self.forget()

    def forget(self) -> None:
        self.tokens: dict[str, str] = {}
        self.strict: set[str] = set()
        self.employees: dict[str, dict[str, schemas.Employee]] = {}
        self.secrets: dict[str, str] = {}
        """Hash of a client's secret -> company."""
        self.federations: dict[tuple[str, str, str, str], str] = {}
        """Company, issuer, audience, subject -> `fed_…`"""
        self.calls: list[str] = []
        self.refuse: DomainError | Exception | None = None
        self.reachable = True

    def add_company(self, name: str, token: str) -> None:
        self.tokens[sha256(token).hex()] = name
        self.employees.setdefault(name, {})

    async def is_ready(self) -> bool:
        return self.reachable

    def _company(self, operation: str, credential: schemas.ScimCredential) -> dict[str, schemas.Employee]:
        self.calls.append(operation)
        if self.tokens.get(credential.token_sha256) != credential.company:
            raise DomainError(ErrorCode.unauthorized, "The token is not valid for this company.")
        if self.refuse is not None:
            refused, self.refuse = self.refuse, None
            raise refused
        return self.employees[credential.company]

    def _check_quirk(self, credential: schemas.ScimCredential, quirk: str | None) -> None:
        if quirk is not None and credential.company in self.strict:
            raise DomainError(ErrorCode.not_conformant, f"Strict mode refuses {quirk}.")

    async def check_credential(self, request: schemas.CheckCredential) -> schemas.CompanyProvisioning:
        self._company("check_credential", request.credential)
        return schemas.CompanyProvisioning(
            company=request.credential.company, strict=request.credential.company in self.strict
        )

    def _expect(self, operation: str, *, allowed: bool) -> None:
        self.calls.append(operation)
        if not allowed:
            raise DomainError(ErrorCode.unauthorized, "The client is not known here.")
        if self.refuse is not None:
            refused, self.refuse = self.refuse, None
            raise refused

    async def redeem_secret(self, request: oauth.RedeemSecret) -> oauth.AccessTokenIssued:
        known = self.secrets.get(request.secret_sha256) == request.company == request.client_id
        self._expect("redeem_secret", allowed=known)
        self.tokens[request.token_sha256] = request.company
        return oauth.AccessTokenIssued(issued_for="sec_1", expires_in_s=3600)

    async def find_federation(self, request: oauth.FindFederation) -> oauth.FoundFederation:
        claims = (request.company, request.issuer, request.audience, request.subject)
        known = request.client_id in (None, request.company) and claims in self.federations
        self._expect("find_federation", allowed=known)
        return oauth.FoundFederation(federation_id=self.federations[claims])

    async def redeem_assertion(self, request: oauth.RedeemAssertion) -> oauth.AccessTokenIssued:
        self._expect("redeem_assertion", allowed=request.federation_id in self.federations.values())
        self.tokens[request.token_sha256] = request.company
        return oauth.AccessTokenIssued(issued_for=request.federation_id, expires_in_s=3600)

    async def provision_employee(self, request: schemas.ProvisionEmployee) -> schemas.Provisioned:
        employees = self._company("provision_employee", request.credential)
        self._check_quirk(request.credential, request.quirk)
        values = asdict(request.employee)
        state: schemas.EmployeeState = "active" if values.pop("active") else "suspended"
        _check_unique(employees, "", values)
        now = system_clock()
        made = schemas.Employee(
            id=employee_text(new_employee_id()), state=state, **values, created_at=now, updated_at=now, version=1
        )
        employees[made.id] = made
        return schemas.Provisioned(employee=_linked(employees, made), outcome="created")

    async def note_mapping(self, request: schemas.NoteMapping) -> schemas.NotedMapping:
        self._company("note_mapping", request.credential)
        return schemas.NotedMapping()

    async def get_employee(self, request: schemas.GetEmployee) -> schemas.Employee:
        employees = self._company("get_employee", request.credential)
        return _linked(employees, _existing(employees, request.employee_id))

    async def find_employees(self, request: schemas.FindEmployees) -> schemas.EmployeePage:
        employees = self._company("find_employees", request.credential)
        found = [
            _linked(employees, one)
            for one in employees.values()
            if meets(request.where, {**asdict(one), "active": one.state == "active", "manager": one.manager_ref})
        ]
        if request.sorting is not None:
            field, descending = request.sorting.field, request.sorting.descending
            found.sort(key=lambda one: str(getattr(one, field) or "").lower(), reverse=descending)
        if request.after is not None:
            page = [one for one in found if one.id > request.after][: request.limit]
        else:
            page = found[request.offset : request.offset + request.limit]
        return schemas.EmployeePage(total=len(found), employees=page)

    async def change_employee(self, request: schemas.ChangeEmployee) -> schemas.Changed:
        employees = self._company("change_employee", request.credential)
        self._check_quirk(request.credential, request.quirk)
        before = _existing(employees, request.employee_id)
        _check_version(before, request.versions)
        try:
            return self._change(employees, before, request.changes)
        except DomainError as error:
            if not (request.deactivate_anyway and request.changes.active is False):
                raise
            done = self._change(employees, before, schemas.EmployeeChanges(active=False))
            return replace(done, left_out=error.code.value)

    def _change(
        self, employees: dict[str, schemas.Employee], before: schemas.Employee, changes: schemas.EmployeeChanges
    ) -> schemas.Changed:
        values = {field: value for field, value in asdict(changes).items() if value is not UNSET}
        if (active := values.pop("active", None)) is not None:
            values["state"] = "active" if active else "suspended"
        _check_unique(employees, before.id, values)
        after = replace(before, **values)
        if after == before:
            return schemas.Changed(employee=_linked(employees, before), changed=False)
        employees[before.id] = replace(after, version=before.version + 1, updated_at=system_clock())
        return schemas.Changed(employee=_linked(employees, employees[before.id]), changed=True)

    async def remove_employee(self, request: schemas.RemoveEmployee) -> schemas.Removed:
        employees = self._company("remove_employee", request.credential)
        before = _existing(employees, request.employee_id)
        _check_version(before, request.versions)
        del employees[before.id]
        return schemas.Removed()


def _existing(employees: dict[str, schemas.Employee], employee_id: str) -> schemas.Employee:
    if employee_id not in employees:
        raise DomainError(ErrorCode.not_found, "There is no such employee.")
    return employees[employee_id]


def _check_version(one: schemas.Employee, versions: list[int] | None) -> None:
    if versions is not None and one.version not in versions:
        raise DomainError(ErrorCode.version_differs, "It has another version.")


def _linked(employees: dict[str, schemas.Employee], one: schemas.Employee) -> schemas.Employee:
    known = one.manager_ref if one.manager_ref in employees else None
    # Through the wire form, so that what tests see is what the real client would see.
    return msgspec.json.decode(msgspec.json.encode(replace(one, manager_id=known)), type=schemas.Employee)


def _check_unique(employees: dict[str, schemas.Employee], own_id: str, values: dict[str, object]) -> None:
    for field, code in (("login_name", ErrorCode.login_taken), ("email", ErrorCode.email_taken)):
        wanted = values.get(field)
        for other in employees.values():
            if other.id != own_id and wanted is not None and getattr(other, field).lower() == str(wanted).lower():
                raise DomainError(code, f"'{wanted}' belongs to another employee.", field=field)
