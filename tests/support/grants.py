"""An app of one firm, as the gateway asks directory for what it holds."""

import os
from dataclasses import dataclass, field
from datetime import datetime

from directory.oidc import operations as oidc
from shared.errors import DomainError, ErrorCode
from shared.schemas.login import SessionCredential
from shared.schemas.oidc import (
    EndGrant,
    Grant,
    GrantCredential,
    Granted,
    IssueCode,
    IssuedCode,
    ReadGrant,
    RedeemCode,
    RefreshGrant,
)
from tests.support.firm import Firm

RETURN = "https://app.example/"


def secret() -> str:
    """Its hash, that is."""
    return os.urandom(32).hex()


@dataclass
class Phone:
    """One app on behalf of one session."""

    firm: Firm
    session: SessionCredential
    scopes: list[str] = field(default_factory=lambda: ["openid"])
    client_id: str = "phone"
    code: str = field(default_factory=secret)
    proof: str = field(default_factory=secret)
    family: str = field(default_factory=secret)
    token: str = field(default_factory=secret)

    async def asks(
        self, *, company: str | None = None, employee_id: str | None = None, signed_in_after: datetime | None = None
    ) -> IssuedCode:
        asked = IssueCode(
            session=self.session, client_id=self.client_id, redirect_uri=RETURN, scopes=self.scopes, nonce=None,
            code_challenge=self.proof, code_sha256=self.code, ttl_s=60, company=company, employee_id=employee_id,
            signed_in_after=signed_in_after,
        )  # fmt: skip
        return await oidc.issue_code(self.firm.database, asked)

    async def redeems(self, **other: str) -> Granted:
        values = {"code_sha256": self.code, "client_id": self.client_id, "redirect_uri": RETURN, **other}
        request = RedeemCode(
            company_id=str(self.firm.company_id), code_challenge=self.proof, family_sha256=self.family,
            refresh_sha256=self.token, session_ttl_s=3600, **values,
        )  # fmt: skip
        return await oidc.redeem_code(self.firm.database, request)

    async def refreshes(self) -> Granted:
        request = RefreshGrant(
            company_id=str(self.firm.company_id), client_id=self.client_id, family_sha256=self.family,
            refresh_sha256=self.token, successors=[successor := secret()],
        )  # fmt: skip
        granted = await oidc.refresh_grant(self.firm.database, request)
        if granted.grant is not None:
            self.token = successor
        return granted

    async def holds(self) -> Grant:
        """It has asked and redeemed."""
        assert (await self.asks()).reason is None
        granted = await self.redeems()
        assert granted.grant is not None
        return granted.grant

    async def is_read(self, grant_id: str | None = None) -> bool:
        """By its grant's id, or by its refresh token."""
        try:
            await oidc.read_grant(self.firm.database, ReadGrant(credential=self.credential(grant_id)))
        except DomainError as error:
            if error.code is ErrorCode.unauthorized:
                return False
            raise
        return True

    def credential(self, grant_id: str | None) -> GrantCredential:
        token = {} if grant_id else {"family_sha256": self.family, "refresh_sha256": self.token}
        return GrantCredential(company_id=str(self.firm.company_id), grant_id=grant_id, **token)

    async def gives_back(self, *, grant_id: str | None = None, client_id: str = "") -> bool:
        request = EndGrant(credential=self.credential(grant_id), client_id=client_id or self.client_id)
        return (await oidc.end_grant(self.firm.database, request)).ended
