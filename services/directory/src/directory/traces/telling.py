"""What an attempt's timeline and its end mean, in words. Pure.

Words of a refusal are those of the page that the person saw (`shared.words`). A code that this release does not know is said as
it stands: an earlier or later release has written it.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from shared.schemas.traces import Explanation, Said, Step, TimelineStep
from shared.words import WORDS, RefusalText, Words

GRACE = timedelta(minutes=2)
"""A ticket lives for a minute; whoever has not come for his session then does not come."""


def told(steps: Sequence[Step]) -> list[TimelineStep]:
    return [
        TimelineStep(
            step=one.step,
            at=one.at,
            facts=one.facts,
            said={language: _sentence(words, one) for language, words in WORDS.items()},
        )
        for one in steps
    ]


def explanation(code: str) -> Explanation:
    """Of a reason, or of what nobody refused."""
    return Explanation(code=code, said={language: _said(words, code) for language, words in WORDS.items()})


def _said(words: Words, code: str) -> Said:
    text = words.explanations.get(code) or words.refusals.get(code) or RefusalText(code, code, code)
    return Said(title=text.title, what=text.what, remedy=text.remedy)


def _sentence(words: Words, step: Step) -> str:
    facts = step.facts
    match step.step:
        case "started":
            return _filled(words, f"started_{facts.get('from') if facts.get('by') == 'us' else 'microsoft'}", facts)
        case "answered":
            away = {"away": duration(int(facts["away_s"]))} if "away_s" in facts else {}
            return _filled(words, "answered_after" if away else "answered", away)
        case "refused":
            more = [_filled(words, name, facts) for name in ("wanted", "got") if name in facts]
            title = _said(words, facts.get("reason", "")).title
            return " ".join([_filled(words, "refused", {**facts, "title": title}), *more])
        case "matched":
            linked = [_filled(words, "linked_now", facts)] if facts.get("linked") == "now" else []
            return " ".join([_filled(words, f"matched_{facts.get('by')}", facts), *linked])
        case "decided" | "session":
            outcome = facts.get("outcome", "")
            if outcome in ("accepted", "opened"):
                differs = [f"{_said(words, one).title} ({one})." for one in facts.get("differs", "").split()]
                return " ".join([_filled(words, f"{step.step}_{outcome}", facts), *differs])
            return _filled(words, f"{step.step}_refused", {**facts, "title": _said(words, outcome).title})
    return _filled(words, step.step, {**facts, "certificate": f"{facts.get('certificate', '')[:16]}…"})


class _Facts(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "–"


def _filled(words: Words, name: str, facts: Mapping[str, str]) -> str:
    template = words.steps.get(name)
    return template.format_map(_Facts(facts)) if template is not None else f"{name} {dict(facts)}"


def duration(seconds: int) -> str:
    """The same in both languages."""
    minutes, rest = divmod(max(seconds, 0), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
