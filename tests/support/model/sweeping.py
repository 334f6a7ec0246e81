"""What `directory sweep` does to one company: what has had its time goes."""

from dataclasses import replace
from datetime import timedelta

from tests.support.model import brake
from tests.support.model.company import Company
from tests.support.model.ending import is_over
from tests.support.model.people import Turn
from tests.support.model.provisioning import do_released
from tests.support.model.retention import erase

KEPT = timedelta(days=30)
SWEEPER = ("system", "directory sweep")


def sweep(company: Company, turn: Turn) -> dict[str, int]:
    """How many of each kind went."""
    turn = replace(turn, actor=SWEEPER)
    over = {
        "seen assertions": [one for one, at in company.assertions.items() if at <= turn.now],
        "tickets": [one for one, (_, at) in company.tickets.items() if at <= turn.now],
        "sessions": [one for one, session in company.sessions.items() if session.expires_at <= turn.now],
    }
    company.assertions = {one: at for one, at in company.assertions.items() if at > turn.now}
    company.tickets = {one: held for one, held in company.tickets.items() if one not in over["tickets"]}
    company.sessions = {one: held for one, held in company.sessions.items() if one not in over["sessions"]}
    kept = [one for one in company.traces if one.at >= turn.now - KEPT]
    trimmed, company.traces = len(company.traces) - len(kept), kept
    lapsed = brake.lapse(company, turn)
    # What is noted of traffic is written down in the background, which does not run here, and the journal by another service:
    # there are no cycles and no exchanges. Nobody here comes by OAuth, nor by an app.
    swept = {
        "login flows": 0,
        **{what: len(gone) for what, gone in over.items()},
        "cycles": 0,
        "access tokens": 0,
        "app grants": 0,
        "exchanges": 0,
        "login traces": trimmed,
        "held deactivations": lapsed,
    }
    if is_over(company, turn.now):
        company.gone_at = turn.now
        return {**swept, "companies": 1}
    do_released(company, turn)
    if company.settings.erase_after_months is not None:
        swept["people"] = erase(company, turn)
    return swept
