"""The end of a login in test mode: a page, or JSON, with every rule and the decision. It opens nothing and sets no cookie."""

from datetime import datetime

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from shared.schemas.login import TriedLogin
from shared.telemetry import context
from shared.telemetry.tracing import current_trace_id
from sso_gateway.pages.render import Pages, texts_for, wants_json
from sso_gateway.pages.texts import Texts
from sso_gateway.reasons import known
from sso_gateway.saml.connection import TrustedConnection
from sso_gateway.saml.errors import SamlRefusal
from sso_gateway.saml.profile import VerifiedAssertion
from sso_gateway.saml.trial import Line, lines


class TestAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a JSON client gets."""

    test: bool
    accepted: bool
    attempt_id: str
    trace_id: str
    title: str
    rules: list[Line]
    reason: str | None = None
    remedy: str | None = None
    wanted: str | None = None
    got: str | None = None
    employee_id: str | None = None
    by: str | None = None
    sso_enabled: bool = True


def test_answered(
    pages: Pages,
    request: Request,
    trusted: TrustedConnection,
    verified: VerifiedAssertion,
    tried: TriedLogin,
    now: datetime,
) -> Response:
    """Of a proven answer, whatever was decided about it: the test has done what it is for."""
    texts = texts_for(request)
    found = lines(
        texts.test,
        tried.reason,
        said=lambda code: _said(texts, code),
        verified=verified,
        tried=tried,
        entity_id=trusted.expected.entity_id,
        now=now,
    )
    values = {
        "name_id": verified.name_id,
        "name_id_format": verified.name_id_format,
        "claim_name": verified.name_claim,
        "claim_email": verified.email,
        "login_name": tried.login_name,
        "email": tried.email,
    }
    return _answer(pages, request, texts, found, status=200, tried=tried, values=values)


def _said(texts: Texts, code: str) -> str:
    text = texts.explanations.get(code) or texts.refusals.get(code)
    return f"{text.title}. {text.remedy}" if text is not None else code


def test_refused(pages: Pages, request: Request, refusal: SamlRefusal) -> Response:
    """Of one that nothing is proven of, and that calls itself the answer to a test."""
    texts = texts_for(request)
    reason = str(refusal.reason)
    tried = TriedLogin(accepted=False, reason=reason)
    found = lines(texts.test, reason)
    return _answer(pages, request, texts, found, status=refusal.status, tried=tried, values={}, refusal=refusal)


def _answer(
    pages: Pages,
    request: Request,
    texts: Texts,
    found: list[Line],
    *,
    status: int,
    tried: TriedLogin,
    values: dict[str, str | None],
    refusal: SamlRefusal | None = None,
) -> Response:
    reason = known(tried.reason) if tried.reason is not None else None
    text = texts.refusals[reason] if reason is not None else None
    wanted, got = (refusal.wanted, refusal.got) if refusal is not None else (None, None)
    if wants_json(request):
        return pages.json(
            TestAnswer(
                test=True,
                accepted=tried.accepted,
                attempt_id=context.attempt.get(),
                trace_id=current_trace_id(),
                title=text.title if text else texts.test["title_accepted"],
                rules=found,
                reason=reason,
                remedy=text.remedy if text else None,
                wanted=wanted,
                got=got,
                employee_id=tried.employee_id,
                by=tried.by,
                sso_enabled=tried.sso_enabled,
            ),
            status=status,
        )
    return pages.page(
        request,
        "test.html",
        status=status,
        test=texts.test,
        accepted=tried.accepted,
        sso_off=not tried.sso_enabled,
        text=text,
        lines=found,
        company=request.path_params["company"],
        values=[(texts.test[name], value) for name, value in values.items() if value],
        reason=reason,
        wanted=wanted,
        got=got,
        attempt_id=context.attempt.get(),
        trace_id=current_trace_id(),
    )
