"""In which order the operations of a bulk request are done: as they came, but none before what it names.

    names nobody of this request            its turn comes as it stands there
    names a bulkId that is created later    waits for it, and comes right behind it
    same address as an earlier one          never before that one
    circle of managers                      one of them is created without his manager, who is set once he is there
    any other circle                        refused

RFC 7644 section 3.7.1: circles must be tried, and what cannot be resolved is 409. Pure: told what was done, says what is next.
"""

import heapq
from collections.abc import Sequence
from typing import Literal

import msgspec

from scim_ingest.protocol.bulk import Malformed, Operation

Step = Literal["do", "do_without_manager", "set_manager", "refuse_circle"]


class Turn(msgspec.Struct, frozen=True):
    position: int
    step: Step = "do"


class Order:
    """Whoever takes a turn by `next` says `settled` when it is over, however it ended."""

    def __init__(self, operations: Sequence[Operation | Malformed]) -> None:
        self._operations = operations
        self._waits: dict[Turn, set[int]] = {}
        """Who cannot have his turn yet -> the positions that he waits for."""
        self._waiters: dict[int, list[Turn]] = {}
        self._ready: list[tuple[int, bool, Turn]] = []
        self._begin()

    def next(self) -> Turn | None:
        """None when everything has had its turn."""
        if not self._ready and self._waits:
            self._break_a_circle()
        return heapq.heappop(self._ready)[2] if self._ready else None

    def settled(self, turn: Turn) -> None:
        if turn.step == "set_manager":
            return
        for waiter in self._waiters.pop(turn.position, ()):
            waits = self._waits[waiter]
            waits.discard(turn.position)
            if not waits:
                del self._waits[waiter]
                self._push(waiter)

    def _begin(self) -> None:
        creators = {
            one.bulk_id: position
            for position, one in enumerate(self._operations)
            if isinstance(one, Operation) and one.method == "POST"
        }
        last_at: dict[tuple[str, str], int] = {}
        for position, one in enumerate(self._operations):
            waits: set[int] = set()
            if isinstance(one, Operation):
                waits.update(creators[name] for name in one.names if name in creators)
                if one.target is not None:
                    if (earlier := last_at.get((one.kind, one.target))) is not None:
                        waits.add(earlier)
                    last_at[one.kind, one.target] = position
            self._wait(Turn(position), waits)

    def _wait(self, turn: Turn, waits: set[int]) -> None:
        if not waits:
            self._push(turn)
            return
        self._waits[turn] = waits
        for position in waits:
            self._waiters.setdefault(position, []).append(turn)

    def _push(self, turn: Turn) -> None:
        # The first in the request first; of one operation the step that creates before the one that completes.
        heapq.heappush(self._ready, (turn.position, turn.step == "set_manager", turn))

    def _break_a_circle(self) -> None:
        """Only creations wait for each other in a circle, for nobody waits for a change but a later change of the same."""
        circle = self._circle()
        for position in circle:
            one = self._operations[position]
            if isinstance(one, Operation) and one.kind == "Users":
                needed = self._release(position, "do_without_manager")
                self._wait(Turn(position, "set_manager"), needed | {position})
                return
        self._release(circle[0], "refuse_circle")

    def _release(self, position: int, step: Step) -> set[int]:
        """He waits no longer; for whom he has waited."""
        waits = self._waits.pop(Turn(position))
        for one in waits:
            self._waiters[one].remove(Turn(position))
        self._push(Turn(position, step))
        return waits

    def _circle(self) -> list[int]:
        """One of those that wait for each other, in the order of the request."""
        waiting = {turn.position: waits for turn, waits in self._waits.items() if turn.step == "do"}
        seen: list[int] = []
        places: dict[int, int] = {}
        at = min(waiting)
        while at not in places:
            places[at] = len(seen)
            seen.append(at)
            at = min(waiting[at])
        return sorted(seen[places[at] :])
