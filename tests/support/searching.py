"""What a search condition means, over plain values in memory; and its shortest form, to compare with."""

from collections.abc import Mapping
from typing import Any

from shared.schemas.search import All, Compare, Expression, Negated, Present, Within

Short = Any
"""True, False, (field, operator, value), (field, "pr"), ("not", …), ("and", …), ("or", …), ("within", field, …)."""


def short(expression: Expression) -> Short:
    """Without what is decided already, and with nothing inside another of its kind."""
    if isinstance(expression, Compare):
        return expression.field, expression.op, expression.value
    if isinstance(expression, Present):
        return expression.field, "pr"
    if isinstance(expression, Within):
        return "within", expression.field, short(expression.of)
    if isinstance(expression, Negated):
        inner = short(expression.of)
        return not inner if isinstance(inner, bool) else ("not", inner)
    word, decided = ("and", False) if isinstance(expression, All) else ("or", True)
    parts: list[Short] = []
    for one in map(short, expression.of):
        if isinstance(one, bool):
            if one is decided:
                return decided
        else:
            parts += one[1:] if one[0] == word else [one]
    if not parts:
        return not decided
    return parts[0] if len(parts) == 1 else (word, *parts)


def meets(expression: Expression | None, values: Mapping[str, Any]) -> bool:
    """Texts without case, but for `id` and `external_id`."""
    if expression is None:
        return True
    if isinstance(expression, Compare):
        value, wanted = values.get(expression.field), expression.value
        if value is None:
            return False
        if isinstance(value, str) and isinstance(wanted, str) and expression.field not in {"id", "external_id"}:
            value, wanted = value.lower(), wanted.lower()
        if expression.op == "eq":
            return bool(value == wanted)
        text, part = str(value), str(wanted)
        return {"co": part in text, "sw": text.startswith(part), "ew": text.endswith(part)}[expression.op]
    if isinstance(expression, Present):
        return values.get(expression.field) is not None
    if isinstance(expression, Negated):
        return not meets(expression.of, values)
    if isinstance(expression, Within):
        return any(meets(expression.of, {"value": one}) for one in values.get(expression.field) or ())
    return (all if isinstance(expression, All) else any)(meets(one, values) for one in expression.of)
