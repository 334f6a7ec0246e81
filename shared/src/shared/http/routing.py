"""Which route a request takes, without asking every route: only those of its first segment and its number of segments.

Starlette asks one route after the other, each by a regular expression; directory has a hundred. The order among those that are
left is theirs, so what is found is what Starlette would have found. A method that no route has is still 405.
"""

from collections.abc import Sequence

from starlette.routing import BaseRoute, Route, Router
from starlette.types import Receive, Scope, Send

Key = tuple[str, int]


class QuickRouter(Router):
    """For routes that begin with a literal segment and whose parameters are single segments. Raises ValueError for any other."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        # No redirect to another slash: it would send a browser to wherever its Host header points.
        super().__init__(routes, redirect_slashes=False)
        by_key: dict[Key, list[BaseRoute]] = {}
        for route in routes:
            by_key.setdefault(_key_of(route), []).append(route)
        self._routers = {key: Router(some, redirect_slashes=False) for key, some in by_key.items()}
        self._nothing = Router(redirect_slashes=False)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["router"] = self
            await self._routers.get(_key(scope["path"]), self._nothing).app(scope, receive, send)
        else:
            await super().app(scope, receive, send)


def _key(path: str) -> Key:
    return path.split("/", 2)[1] if path.startswith("/") else "", path.count("/")


def _key_of(route: BaseRoute) -> Key:
    if not isinstance(route, Route) or ":path}" in route.path or "{" in _key(route.path)[0]:
        raise ValueError(f"{route} cannot be found by its first segment and the number of its segments")
    return _key(route.path)
