"""Estimate LLM tokens without a tokenizer; good enough to show, never exact."""

import re

_PIECE = re.compile(
    r"(?P<cjk>[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af])"
    r"|(?P<digits>\d{1,3})"
    r"|(?P<word>[^\W\d_]+)"
    r"|(?P<other>[^\s])"
)
_LETTERS_PLAIN = 4.2
_LETTERS_MARKED = 2.3
_SHORT_WORD = 7


def count_tokens(text: str) -> int:
    """Return an estimate: a Chinese sign is 1, up to three digits 1, a short Latin word 1."""
    return sum(_weight(found) for found in _PIECE.finditer(text))


def _weight(found: re.Match[str]) -> int:
    word = found["word"]
    if word is None:
        return 1
    if not word.isascii():
        return max(1, round(len(word) / _LETTERS_MARKED))
    return 1 if len(word) <= _SHORT_WORD else max(1, round(len(word) / _LETTERS_PLAIN))
