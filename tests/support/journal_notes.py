"""Exchanges put into a firm's journal without an edge: what scim-ingest would have handed over."""

import uuid
from datetime import datetime
from typing import Any

import msgspec

from directory.journal.operations import note_exchanges
from shared.ids import earliest_uuid7, exchange_text, new_uuid7
from shared.schemas.employee import EmployeeChanges, ScimCredential
from shared.schemas.group import GroupChanges, NewGroup
from shared.schemas.journal import Asked, BatchOutcome, Exchange, ExchangeBatch, NoteExchanges
from tests.support.firm import Firm, anna


def exchange(at: datetime | None = None, **values: Any) -> Exchange:
    """A read that found nobody, unless something else is said."""
    made = new_uuid7()
    if at is not None:
        made = uuid.UUID(int=earliest_uuid7(at).int | made.int & (1 << 80) - 1)
    plain: dict[str, Any] = {
        "exchange_id": made.hex,
        "method": "GET",
        "path": "/Users",
        "query": "",
        "activity_id": "",
        "request_id": uuid.uuid4().hex,
        "status": 200,
        "result": "read",
        "took_ms": 1.5,
    }
    return Exchange(**{**plain, **values})


def provision(**values: Any) -> Asked:
    return Asked(what="provision", employee=anna(**values))


def change(employee_id: str, *, deactivate_anyway: bool = True, **changes: Any) -> Asked:
    return Asked(
        what="change",
        employee_id=employee_id,
        changes=EmployeeChanges(**changes),
        deactivate_anyway=deactivate_anyway,
    )


def remove(employee_id: str) -> Asked:
    return Asked(what="remove", employee_id=employee_id)


def create_group(name: str, *members: str, **values: Any) -> Asked:
    return Asked(what="create_group", group=NewGroup(display_name=name, members=list(members), **values))


def change_group(group_id: str, **changes: Any) -> Asked:
    return Asked(what="change_group", group_id=group_id, group_changes=GroupChanges(**changes))


def remove_group(group_id: str) -> Asked:
    return Asked(what="remove_group", group_id=group_id)


async def note(firm: Firm, *exchanges: Exchange, credential: ScimCredential | None = None) -> BatchOutcome:
    batch = ExchangeBatch(credential=credential or firm.credential, exchanges=list(exchanges))
    return (await note_exchanges(firm.database, NoteExchanges(batches=[batch]))).outcomes[0]


async def noted(firm: Firm, asked: Asked | None = None, **values: Any) -> str:
    """One exchange in the journal; its id."""
    about = [asked.employee_id] if asked is not None and asked.employee_id else []
    one = exchange(**{"asked": asked, "about": about, **values})
    assert await note(firm, one) == "written"
    return exchange_text(uuid.UUID(hex=one.exchange_id))


def wire(exchange: Exchange) -> Exchange:
    """As it comes out of the wire."""
    return msgspec.json.decode(msgspec.json.encode(exchange), type=Exchange)
