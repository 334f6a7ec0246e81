"""`directory company certificate`: what sign-on is verified by; one more, or one less."""

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from directory.cli.company import json_command
from directory.cli.environment import operator, owner_database
from directory.cli.renewal import looks_told, next_step
from directory.cli.text import moment, table
from directory.companies import signing
from directory.settings import DatabaseSettings
from shared.errors import DomainError, ErrorCode
from shared.schemas.metadata import MetadataLooks
from shared.schemas.signing import SigningCertificate

Answer = dict[str, Any]
MAX_FILE_BYTES = 1024 * 1024


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommand of this module."""
    told = "the certificates that sign-on is verified by, side by side; trust one more, or remove one"
    command = json_command(subcommands, "certificate", told)
    command.add_argument("company")
    step = command.add_mutually_exclusive_group()
    step.add_argument(
        "--add",
        metavar="FILE",
        help="PEM, base64, DER or a whole federation metadata document, as downloaded from Entra; - reads it from here",
    )
    step.add_argument(
        "--accept", metavar="SHA256", help="trust what Entra's metadata offers (finding certificate_offered)"
    )
    step.add_argument("--remove", metavar="FINGERPRINT", help="refuse what it signs from now on")
    command.add_argument(
        "--compromised", action="store_true", help="with --remove: its key has leaked; ends all sessions of the company"
    )
    command.set_defaults(do=_certificate, told=_told)


async def _certificate(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    if parsed.compromised and not parsed.remove:
        raise DomainError(ErrorCode.invalid_request, "--compromised goes with --remove.")
    pasted = _read(parsed.add) if parsed.add else None
    answer: Answer = {"company": parsed.company}
    async with (
        owner_database(settings) as database,
        database.scope_for_name(parsed.company).transaction(operator()) as tx,
    ):
        if pasted is not None:
            answer["added"] = await signing.add(tx, pasted)
        elif parsed.accept:
            answer["added"] = await signing.accept(tx, parsed.accept)
        elif parsed.remove:
            answer["sessions_ended"] = await signing.remove(tx, parsed.remove, compromised=parsed.compromised)
            answer["removed"] = parsed.remove
        certificates = await signing.read(tx)
        answer["certificates"] = msgspec.to_builtins(certificates)
        answer["metadata"] = msgspec.to_builtins(await signing.metadata_looks(tx))
        answer["next"] = next_step(parsed.company, certificates, tx.now)
    return answer


def _read(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_FILE_BYTES)
        with Path(name).open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise DomainError(ErrorCode.invalid_request, f"{name} cannot be read: {error.strerror}.") from None


def _told(answer: Answer) -> str:
    shown = table(
        ("certificate (SHA-256)", "thumbprint in Entra", "state", "valid until", "last signed"),
        [
            (
                one.fingerprint[:16] + "…",
                one.thumbprint,
                one.state.replace("_", " "),
                moment(one.not_after),
                moment(one.last_signed_at) if one.last_signed_at else "never",
            )
            for one in msgspec.convert(answer["certificates"], list[SigningCertificate])
        ],
    )
    shown = f"{shown}\n\n{looks_told(msgspec.convert(answer['metadata'], MetadataLooks))}"
    if answer["next"]:
        shown = f"{shown}\n\n{answer['next']}"
    if "added" in answer:
        many = len(answer["added"])
        done = f"Trusted from now on: {many} more." if many else "All of it was trusted already."
        return f"{done}\n\n{shown}"
    if "removed" in answer:
        ended = answer["sessions_ended"]
        return f"What it signs is refused from now on{f'; {ended} sessions ended' if ended else ''}.\n\n{shown}"
    return shown
