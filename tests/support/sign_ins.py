"""Logins of one firm, as the gateway asks directory for them."""

import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from directory.logins import operations as logins
from directory.logins.signing_out import end_idp_session
from shared.schemas import login
from shared.schemas.employee import Employee
from tests.support.clock import SettableClock
from tests.support.firm import Firm

SIGNER = "f" * 64
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"


@dataclass
class SignIns:
    """Logins of one firm, as the gateway asks for them."""

    firm: Firm
    clock: SettableClock
    tenant_id: str

    @classmethod
    async def of(cls, firm: Firm, clock: SettableClock) -> "SignIns":
        await firm.as_owner(
            "insert into certificates (company_id, fingerprint, der, subject, not_before, not_after, added_at) "
            "values ($1, $2, $3, 'CN=x', now(), now() + interval '1 day', now())",
            firm.company_id,
            SIGNER,
            os.urandom(16),
        )
        [row] = await firm.as_owner("select tenant_id from connections where company_id = $1", firm.company_id)
        return cls(firm, clock, str(row["tenant_id"]))

    async def accept(
        self, person: Employee, index: str = "", name_id: str = "", name_format: str | None = EMAIL
    ) -> str:
        """A login that was accepted, and whose ticket is on its way; the ticket."""
        ticket = secrets.token_bytes(32).hex()
        attempt = login.LoginAttempt(
            company=self.firm.name, ticket_sha256=ticket, ticket_ttl_s=60, in_response_to=None,
            assertion_id=index or f"_{uuid4()}", session_index=index or None, expires_at=self.clock() + timedelta(hours=1),
            tenant_id=self.tenant_id, object_id=str(person.external_id), name_id=name_id or person.login_name,
            name_id_format=name_format, signer_fingerprint=SIGNER,
        )  # fmt: skip
        outcome = await logins.complete_login(self.firm.database, attempt)
        assert outcome.accepted, outcome.reason
        return ticket

    async def open(
        self,
        ticket: str,
        *,
        instead_of: login.SessionCredential | None = None,
        session_sha256: str = "",
        ttl_s: int = 3600,
    ) -> login.OpenedSession:
        request = login.OpenSession(
            company_id=str(self.firm.company_id), ticket_sha256=ticket, browsers_sha256=[], current_session=instead_of,
            session_sha256=session_sha256 or secrets.token_bytes(32).hex(), session_ttl_s=ttl_s,
        )  # fmt: skip
        return await logins.open_session(self.firm.database, request)

    async def session_of(self, person: Employee, *, ttl_s: int = 3600) -> login.SessionCredential:
        """He signs in, and this is what his browser has."""
        session_sha256 = secrets.token_bytes(32).hex()
        assert (await self.open(await self.accept(person), session_sha256=session_sha256, ttl_s=ttl_s)).opened
        return login.SessionCredential(company_id=str(self.firm.company_id), session_sha256=session_sha256)

    async def sign_in(
        self, person: Employee, index: str = "", name_id: str = "", name_format: str | None = EMAIL
    ) -> None:
        assert (await self.open(await self.accept(person, index, name_id, name_format))).opened

    async def sign_out(
        self,
        *indexes: str,
        name_id: str = "pairwise",
        name_format: str | None = None,
        signer: str = SIGNER,
        until: datetime | None = None,
    ) -> login.EndedIdpSession:
        request = login.EndIdpSession(
            company=self.firm.name, session_indexes=list(indexes), name_id=name_id, name_id_format=name_format,
            until=until or self.clock(), signer_fingerprint=signer,
        )  # fmt: skip
        return await end_idp_session(self.firm.database, request)

    async def indexes(self) -> list[str | None]:
        """Of all live sessions."""
        rows = await self.firm.as_owner("select session_index from sessions order by session_index")
        return [row["session_index"] for row in rows]
