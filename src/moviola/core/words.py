"""Words of a text in any script."""

from __future__ import annotations

import re
import unicodedata

_IGNORED = re.compile(
    "[\u00ad\u200c\u200d]"
)  # soft hyphen, zero-width (non-)joiner: they only say how to draw
# scripts written without spaces whose characters stand for words or syllables: Han, kana, bopomofo
_CJK = re.compile(
    "[\u3005-\u3007\u3040-\u30ff\u3100-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U000323af]"
)
_PLAIN = re.compile("(?:wm*)+|cm*")
_JOINED = re.compile("(?:wm*)+(?:'(?:wm*)+)?|cm*")


def split_words(text: str, *, apostrophes: bool = False) -> list[str]:
    """Return the words of a text, in small letters (case-folded) and composed form (NFC).

    A word is a run of letters, digits and the marks on them, of any script. Chinese characters, kana and bopomofo are
    a word each; Korean is written with spaces, and what Thai, Lao, Khmer and Burmese write between two spaces is one
    word. Everything else parts words.

    Args:
        text: any text.
        apostrophes: whether "don't" is one word; otherwise two.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    folded = _IGNORED.sub("", folded).replace("\u2019", "'")
    shape = "".join(map(_shape, folded))
    pattern = _JOINED if apostrophes else _PLAIN
    return [folded[match.start() : match.end()] for match in pattern.finditer(shape)]


def _shape(sign: str) -> str:
    """Return c (a word by itself), w (part of a word), m (a mark on the sign before), ' or a blank."""
    if _CJK.match(sign):
        return "c"
    return {"L": "w", "N": "w", "M": "m"}.get(unicodedata.category(sign)[0], "'" if sign == "'" else " ")
