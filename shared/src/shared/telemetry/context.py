"""What a request carries with it through the code: its id and the company it turned out to be about."""

from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""32 hexadecimal digits, made by the edge and passed on to directory."""

company: ContextVar[str] = ContextVar("company", default="")
"""Name of the company the request belongs to, once that is proven."""

attempt: ContextVar[str] = ContextVar("attempt", default="")
"""The speakable id of the login attempt that the request is a part of (`shared.attempts`)."""
