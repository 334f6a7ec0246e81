"""From the bytes of a file to its text: what is no CSV is told apart, and the encoding found. Pure.

UTF-8 with or without byte order mark, UTF-16 with one (Excel's "Unicode text"), or else Windows-1252 (Excel's "CSV" in western
Europe). Nothing is replaced: a file that is none of these is refused, with the line of the first byte that shows it.
"""

import codecs
import re

from directory.imports.remarks import ProblemCode, Remarks

MAX_BYTES = 50 * 1024 * 1024

_SAVE_AS = "In Excel choose 'Save as' and the type 'CSV UTF-8'."
_BINARY = (
    (b"PK\x03\x04", "This is an Excel workbook (.xlsx) or another ZIP file"),
    (b"PK\x05\x06", "This is a ZIP file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "This is an Excel workbook (.xls)"),
    (b"%PDF-", "This is a PDF"),
)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


_SURROGATE = re.compile(b"\xed[\xa0-\xbf][\x80-\xbf]")
_RIGHT = re.compile("[^\x00-\x7f\ufffd]")


def text_of(data: bytes, problems: Remarks) -> str | None:
    """The whole text; None where the file was refused, with the reason in `problems`."""
    if (refused := _refusal(data)) is not None:
        problems.add(0, "", *refused)
        return None
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decoded(data, encoding, problems)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        damaged = _is_damaged_utf8(data)
        return _decoded(data, "utf-8" if damaged else "cp1252", problems)


def _refusal(data: bytes) -> tuple[ProblemCode, str] | None:
    if len(data) > MAX_BYTES:
        return ProblemCode.too_large, f"The file is larger than {MAX_BYTES // 1024 // 1024} MB; split it."
    for signature, told in _BINARY:
        if data.startswith(signature):
            return ProblemCode.not_csv, f"{told}, not CSV. {_SAVE_AS}"
    if not data.strip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00;,"):
        return ProblemCode.empty_file, "The file is empty."
    if b"\x00" in data and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ProblemCode.not_csv, f"The file contains zero bytes, so it is no CSV. {_SAVE_AS}"
    return None


def _decoded(data: bytes, encoding: str, problems: Remarks) -> str | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        name = {"cp1252": "Windows-1252 nor UTF-8"}.get(encoding, encoding.removesuffix("-sig").upper())
        problems.add(
            line, "", ProblemCode.bad_encoding, f"Byte {error.start + 1} of the file is not {name}. {_SAVE_AS}"
        )
        return None
    if "\x00" in text:
        problems.add(0, "", ProblemCode.not_csv, f"The file contains zero characters, so it is no CSV. {_SAVE_AS}")
        return None
    return text


def _is_damaged_utf8(data: bytes) -> bool:
    """Half of a surrogate pair in three bytes, or more letters of several bytes that are right than wrong ones: no western text
    of single bytes looks like that."""
    if _SURROGATE.search(data) is not None:
        return True
    text = data.decode("utf-8", "replace")
    return len(_RIGHT.findall(text)) > text.count("\ufffd")
