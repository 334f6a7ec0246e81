"""Listeners that end when they are told to.

uvicorn looks ten times a second whether it is to end, and then again whether its connections have. That is nothing for a pod, and
minutes for the hundreds of listeners that tests open and close one after the other. Here it looks a hundred times a second;
what it does is the same.
"""

import asyncio
from typing import Any

import uvicorn.server

LOOKS_EVERY_S = 0.01


class _Asyncio:
    """As uvicorn's server sees it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, delay: float) -> None:
        await asyncio.sleep(min(delay, LOOKS_EVERY_S))


def end_promptly() -> None:
    """From now on, in this process."""
    uvicorn.server.asyncio = _Asyncio()  # type: ignore[assignment, attr-defined]
