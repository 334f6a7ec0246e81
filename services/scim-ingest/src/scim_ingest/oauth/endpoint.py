"""`POST /scim/v2/{company}/oauth2/token`: an access token for a secret or an assertion.

form -> whom it says -> (assertion: does the company trust him; his key; is it genuine) -> directory stores the hash of a token
that we have made -> the token, this once
"""

import time
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scim_ingest import metrics
from scim_ingest.credential import company_of
from scim_ingest.exchange import refuse, route
from scim_ingest.limits import Limits
from scim_ingest.oauth.assertion import AssertionRefused, UnverifiedAssertion, read_assertion, verify
from scim_ingest.oauth.fetching import KeyFetcher
from scim_ingest.oauth.keys import KeyRing, KeysUnavailable, KeyUnknown
from scim_ingest.oauth.metadata import PATH, metadata
from scim_ingest.oauth.refusals import (
    OAuthRefusal,
    invalid_client,
    invalid_request,
    too_many_requests,
    unavailable,
)
from scim_ingest.oauth.request import SCOPE, ByAssertion, BySecret, check_content_type, read_token_request
from scim_ingest.protocol.errors import ScimError
from scim_ingest.settings import Settings
from shared.clock import Clock
from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.schemas.employee import ScimCredential
from shared.schemas.oauth import AccessTokenIssued, FindFederation, RedeemAssertion, RedeemSecret
from shared.telemetry import context
from shared.telemetry.logs import EventLog
from shared.tokens import new_access_token, sha256

MAX_BODY_BYTES = 16 * 1024
"""Entra's assertions have about 2 KB."""


class TokenEndpoint:
    """The handler, with what it shares."""

    def __init__(
        self,
        directory: DirectoryClient,
        settings: Settings,
        log: EventLog,
        *,
        fetcher: KeyFetcher,
        keys: KeyRing,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._log = log
        self._fetcher = fetcher
        self._keys = keys
        self._clock = clock

    def routes(self) -> list[Route]:
        base = "/scim/v2/{company}"
        return [route(f"{base}/oauth2/token", POST=self._answer), route(base + PATH, GET=self._describe)]

    async def _describe(self, request: Request) -> Response:
        company = company_of(request)
        if company is None:
            return refuse(ScimError(404, "There is no such company."), self._log)
        tenant_url = f"{self._settings.public_url.rstrip('/')}/scim/v2/{company}"
        return _json(200, metadata(tenant_url, federation=self._fetcher.is_on))

    async def _answer(self, request: Request) -> Response:
        started = time.perf_counter()
        grant: metrics.Grant = "none"
        try:
            asked = await self._read(request)
            grant = "secret" if isinstance(asked, BySecret) else "assertion"
            response, result = await self._grant(request, asked), "issued"
        except OAuthRefusal as refusal:
            # Whose endpoint it was; whoever asked has not proved to be it.
            at = company_of(request) or ""
            self._log.info("token_request_refused", at=at, error=refusal.error, reason=refusal.reason, grant=grant)
            response, result = _refused(refusal), refusal.error
        metrics.TOKEN_REQUESTS.labels(grant, result).inc()
        metrics.DURATION.labels("token").observe(time.perf_counter() - started)
        return response

    async def _read(self, request: Request) -> BySecret | ByAssertion:
        check_content_type(request.headers.get("content-type", ""))
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise invalid_request("Send the form without Content-Encoding.")
        try:
            body = await read_body(request, MAX_BODY_BYTES, timeout_s=self._settings.body_timeout_s)
        except BodyTooLarge:
            raise invalid_request(f"The form is larger than {MAX_BODY_BYTES} bytes.", status=413) from None
        except BodyTooSlow:
            raise invalid_request("The form did not arrive in time.", status=408) from None
        return read_token_request(body, request.headers.getlist("authorization"))

    async def _grant(self, request: Request, asked: BySecret | ByAssertion) -> Response:
        company = company_of(request)
        if company is None:
            raise invalid_client("impossible")
        token = new_access_token()
        limits: Limits = request.state.limits
        proof = ScimCredential(token_sha256=_proof(asked), company=company)
        try:
            await limits.admit(proof)
            if isinstance(asked, BySecret):
                issued = await self._by_secret(company, asked, token)
            else:
                issued = await self._by_assertion(company, asked, token)
        except ScimError as error:
            raise too_many_requests(error.detail, int(error.headers["Retry-After"])) from None
        except DomainError as error:
            if error.code is ErrorCode.unauthorized:
                limits.rejected(proof)
            raise _from_domain(error) from error
        limits.accepted(proof)
        context.company.set(company)
        self._log.info("access_token_issued", issued_for=issued.issued_for)
        return _issued(token, issued)

    async def _by_secret(self, company: str, asked: BySecret, token: str) -> AccessTokenIssued:
        return await self._directory.redeem_secret(
            RedeemSecret(
                company=company,
                client_id=asked.client_id,
                secret_sha256=sha256(asked.secret).hex(),
                token_sha256=sha256(token).hex(),
            )
        )

    async def _by_assertion(self, company: str, asked: ByAssertion, token: str) -> AccessTokenIssued:
        """Whom the company does not trust makes us fetch nothing."""
        try:
            unverified = read_assertion(asked.unverified_assertion, self._clock())
            if not self._fetcher.allows(unverified.issuer):
                raise AssertionRefused("host_not_allowed")
            federation_id = await self._trusted(company, asked.client_id, unverified)
            verify(unverified, await self._keys.key(unverified.issuer, unverified.kid))
        except AssertionRefused as refused:
            raise invalid_client(refused.reason) from None
        except KeyUnknown:
            raise invalid_client("key_unknown") from None
        except KeysUnavailable:
            raise unavailable("The keys of the Entra tenant cannot be fetched at the moment; try again.") from None
        return await self._directory.redeem_assertion(
            RedeemAssertion(company=company, federation_id=federation_id, token_sha256=sha256(token).hex())
        )

    async def _trusted(self, company: str, client_id: str | None, unverified: UnverifiedAssertion) -> str:
        claims = {
            "issuer": unverified.issuer.text,
            "audience": unverified.audience,
            "subject": unverified.subject,
        }
        try:
            asked = FindFederation(company=company, client_id=client_id, **claims)
            return (await self._directory.find_federation(asked)).federation_id
        except DomainError as error:
            if error.code is ErrorCode.unauthorized:
                # A value pasted from the wrong page is how this fails as a rule; these are ids of apps and tenants.
                self._log.info("assertion_not_trusted", **claims)
            raise


def _proof(asked: BySecret | ByAssertion) -> str:
    """By which the sender is counted, as a SCIM request is by its token; once accepted it spends the company's allowance."""
    return sha256(asked.secret if isinstance(asked, BySecret) else asked.unverified_assertion).hex()


def _from_domain(error: DomainError) -> OAuthRefusal:
    match error.code:
        case ErrorCode.unauthorized:
            return invalid_client("not_trusted")
        case ErrorCode.unavailable | ErrorCode.wrong_caller:
            return unavailable("The token endpoint cannot answer at the moment; try again.")
        case _:
            # Directory could not read what we sent: our two versions do not fit, and the sender can mend nothing.
            return OAuthRefusal("server_error", f"Internal error. Request id {context.request_id.get()}.", status=500)


def _issued(token: str, issued: AccessTokenIssued) -> Response:
    return _json(
        200,
        {"access_token": token, "token_type": "Bearer", "expires_in": issued.expires_in_s, "scope": SCOPE},
    )


def _refused(refusal: OAuthRefusal) -> Response:
    headers = {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="scim"'
    if refusal.status == 408:
        headers["Connection"] = "close"
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    return _json(refusal.status, {"error": refusal.error, "error_description": refusal.description}, headers)


def _json(status: int, body: Mapping[str, object], headers: dict[str, str] | None = None) -> Response:
    """Nobody keeps it (RFC 6749 section 5.1)."""
    kept = {"Cache-Control": "no-store", "Pragma": "no-cache"}
    return Response(msgspec.json.encode(body), status, {**kept, **(headers or {})}, media_type="application/json")
