"""One exchange on its way into the journal: as it was answered, and as it is handed over. Pure."""

import itertools
import re
from dataclasses import dataclass

import msgspec
from msgspec import UNSET

from scim_ingest import redaction
from scim_ingest.protocol.attributes import path_of_field
from scim_ingest.recorder import MAX_PEOPLE, Recorder
from shared.schemas.employee import ScimCredential
from shared.schemas.group import GroupChanges
from shared.schemas.journal import Asked, Exchange

MAX_ASKED_BYTES = 64 * 1024
MAX_NAME = 600
MAX_NAMES_CHARACTERS = 128 * 1024
"""Of all the names of one exchange, and of all whom it mentions."""
_IN_PATH = re.compile(r"/Users/(emp_[0-9a-f]{32})\Z")


@dataclass(slots=True)
class Note:
    """An exchange as it was answered."""

    exchange_id: str
    credential: ScimCredential
    method: str
    path: str
    query: bytes
    activity_id: str
    request_id: str
    took_ms: float
    recorder: Recorder


def to_exchange(note: Note) -> Exchange:
    """What is handed over of it: no secret, nothing that cannot be stored, nothing without a bound."""
    recorder, token = note.recorder, note.recorder.token
    # Also where it was refused before directory was asked.
    about = {**recorder.about, **dict.fromkeys(_IN_PATH.findall(note.path))}
    names, mentions = redaction.named_in(recorder.body) if recorder.body else ([], [])
    names += redaction.named_in_query(note.query)
    if not recorder.names and not about:
        # Refused before anybody was asked: an address in it is whom it is about.
        names, mentions = names + mentions, []
    return Exchange(
        exchange_id=note.exchange_id,
        method=note.method[:20],
        path=_told(_below_the_tenant_url(note.path), 300, token),
        query=redaction.kept_query(note.query, token),
        activity_id=note.activity_id.lower(),
        request_id=note.request_id,
        status=recorder.status,
        result=recorder.result,
        scim_type=recorder.scim_type,
        detail=_told(recorder.detail, 1000, token) if recorder.detail else None,
        took_ms=round(note.took_ms, 2),
        attributes=attributes_of(recorder.asked) if recorder.asked is not None else [],
        ignored=[_shown(name, 200, token) for name in recorder.ignored],
        coerced=recorder.coerced,
        left_out=[_told(sentence, 500, token) for sentence in recorder.left_out],
        about=list(about),
        names=_people(token, recorder.names, names),
        mentions=_people(token, recorder.mentions, mentions),
        asked=_kept(recorder.asked, token),
        body=redaction.kept_body(recorder.body, token),
        body_bytes=len(recorder.body),
    )


def attributes_of(asked: Asked) -> list[str]:
    """By SCIM path: what a request gives a value, or clears. A PUT clears whatever it does not mention: that is not told."""
    if asked.group is not None or asked.group_changes is not None:
        return _attributes_of_group(asked)
    said = asked.employee if asked.what == "provision" else asked.changes
    if said is None:
        return []
    nothing = (None, UNSET) if asked.replaces or asked.what == "provision" else (UNSET,)
    fields = (name for name in said.__struct_fields__ if not any(getattr(said, name) is one for one in nothing))
    return [path_of_field(name) or name for name in fields]


def _attributes_of_group(asked: Asked) -> list[str]:
    if (new := asked.group) is not None:
        given = {"displayName": True, "externalId": new.external_id is not None, "members": bool(new.members)}
    else:
        changes = asked.group_changes or GroupChanges()
        given = {
            "displayName": changes.display_name is not UNSET,
            "externalId": changes.external_id is not UNSET,
            "members": changes.members is not UNSET or bool(changes.add or changes.remove),
        }
    return [name for name, is_given in given.items() if is_given]


def _below_the_tenant_url(path: str) -> str:
    """`/scim/v2/{company}/Users/x` -> `/Users/x`"""
    parts = path.split("/", 4)
    return "/" + (parts[4] if len(parts) > 4 else "")


def _shown(text: str, longest: int, token: str) -> str:
    return redaction.plain(text, token)[:longest]


def _told(text: str, longest: int, token: str) -> str:
    """What may quote the sender: a secret that he named is not in it."""
    return redaction.without_what_is_told(_shown(text, longest, token))


def _people(token: str, *named: "dict[str, None] | list[str]") -> list[str]:
    """Each once; a secret of ours is nobody's name."""
    found: dict[str, None] = {}
    room = MAX_NAMES_CHARACTERS
    for name in itertools.chain(*named):
        shown = redaction.plain(name[:MAX_NAME], token)
        if redaction.REDACTED not in shown and shown not in found:
            found[shown] = None
            room -= len(shown)
        if room <= 0 or len(found) >= MAX_PEOPLE:
            break
    return list(found)


def _kept(asked: Asked | None, token: str) -> Asked | None:
    """None where it is too long to be done again, or holds what is no text, or the token."""
    if asked is None:
        return None
    try:
        encoded = msgspec.json.encode(asked)
    except (ValueError, UnicodeError):
        return None
    fits = (
        len(encoded) <= MAX_ASKED_BYTES and b"\\u0000" not in encoded and not redaction.is_ours(encoded.decode(), token)
    )
    return asked if fits else None
