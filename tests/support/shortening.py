"""The shortest sequence that still fails: stretches are left out as long as it does, then smaller ones, then single steps."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

StepT = TypeVar("StepT")


async def shortened(
    steps: Sequence[StepT], failure: Callable[[list[StepT]], Awaitable[Exception | None]]
) -> tuple[list[StepT], Exception | None]:
    """The sequence and how it fails; none where the steps do not."""
    left = list(steps)
    error = await failure(left)
    size = len(left) if error is not None else 0
    while size := size // 2:
        place = 0
        while place < len(left):
            fewer = left[:place] + left[place + size :]
            found = await failure(fewer)
            if found is None:
                place += size
            else:
                left, error = fewer, found
    return left, error
