"""Names of files: the one order that lists of them have, and names that are not UTF-8.

Python keeps a byte of a name that is no UTF-8 as a lone surrogate, which no text file may hold. Such a name can be
opened and compared like any other; people read it as `\\xNN`, and JSON holds the escape `\\udcNN`, which `json.loads`
turns back into the name.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable
from typing import Any

ERRORS = "moviola-names"
"""The name of an error handler for `str.encode` that writes `\\xNN` for a byte that is no UTF-8."""


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key that puts `clip2` before `clip10`, folder by folder, capitals beside small letters.

    Names that differ in capitals or leading zeros alone are ordered by their characters, so the order is total.
    """
    parts = re.split(r"([0-9]+)|(/)", name)
    key = [_piece(part) for part in parts if part]
    return (*key, (3, 0, name))


def natural_sorted(names: Iterable[str]) -> list[str]:
    """Return `names` in natural order; the order is total, so it is the same everywhere."""
    return sorted(names, key=natural_key)


def name_bytes(text: str) -> bytes:
    """Return the bytes of any text for a checksum: its UTF-8, also where it holds bytes of a name that are none."""
    return text.encode("utf-8", "surrogatepass")


def written(text: str) -> bytes:
    """Return a text as UTF-8 to be read by people; a byte that is none becomes `\\xNN`."""
    return text.encode("utf-8", ERRORS)


def json_text(value: Any, **options: Any) -> str:
    """Return `value` as JSON that can be written as UTF-8; letters stay as they are where they can.

    Args:
        value: what `json.dumps` takes. options: its others.
    """
    text = json.dumps(value, ensure_ascii=False, **options)
    return text if text.isascii() or not _SURROGATE.search(text) else json.dumps(value, **options)


def _piece(part: str) -> tuple[int, int, str]:
    if part == "/":
        return (0, 0, "")
    if part[0] in "0123456789":
        digits = part.lstrip("0")
        return (1, len(digits), digits)  # as numbers compare, however long they are
    return (2, 0, part.casefold())


_SURROGATE = re.compile("[\ud800-\udfff]")


def _escape(error: UnicodeError) -> tuple[str, int]:
    """Write characters that an encoding lacks: bytes of a name as `\\xNN`, others as Python writes them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    out = []
    for sign in error.object[error.start : error.end]:
        code = ord(sign)
        escaped = sign.encode("ascii", "backslashreplace").decode("ascii")
        out.append(f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else escaped)
    return "".join(out), error.end


codecs.register_error(ERRORS, _escape)
