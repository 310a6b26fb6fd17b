"""The words of an SQL text, one after the other, from a file of any size.

As MySQL writes them: strings in either quote, with backslashes or doubled quotes inside, names in
backticks, three kinds of comment. At most one word, and one piece of the file, is in memory.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import BinaryIO, NamedTuple

from portico.predecessors.values import refused

PIECE_BYTES = 256 * 1024
WORD_BYTES_MAX = 16 * 1024 * 1024

_COMMENT = rb"--[^\n]*+|\#[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/"
_SINGLE = rb"'(?:[^'\\]++|\\.|'')*+'"
_DOUBLE = rb'"(?:[^"\\]++|\\.|"")*+"'
_NAME = rb"`(?:[^`]++|``)*+`"
_NEXT = re.compile(
    rb"(?P<space>\s++|" + _COMMENT + rb")"
    rb"|(?P<string>" + _SINGLE + rb"|" + _DOUBLE + rb")"
    rb"|(?P<name>" + _NAME + rb")"
    rb"|(?P<word>[-+]?(?:[0-9.]++[eE][-+][0-9]++|[\w.$@\x80-\xff]++(?![-+]\Z)))"
    rb"|(?P<sign>(?!/\*)[^'\"`\w.$@\x80-\xff])",
    re.DOTALL,
)
# to the end of a statement in as few steps as there are pieces; a string at the very end of a
# piece may go on in the next one
_REST = re.compile(
    rb"(?:[^'\"`;\#/-]++|(?:" + _SINGLE + rb"|" + _DOUBLE + rb"|" + _NAME + rb"|" + _COMMENT
    + rb")(?!\Z)|(?:-(?!-)|/(?!\*))(?!\Z))++",
    re.DOTALL,
)  # fmt: skip
_ESCAPES = {
    b"0": b"\x00", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a",
    b"%": rb"\%", b"_": rb"\_",
}  # fmt: skip
_ESCAPED = re.compile(rb"\\(.)|''|\"\"", re.DOTALL)


class Sort(Enum):
    """What a word is."""

    STRING = auto()
    NAME = auto()  # in backticks
    WORD = auto()  # a keyword, a bare name or a number
    SIGN = auto()
    END = auto()  # of the file


class Word(NamedTuple):
    """One word as it is meant: without quotes, escapes resolved."""

    sort: Sort
    text: str


END = Word(Sort.END, "")
SEMICOLON = Word(Sort.SIGN, ";")


class Words:
    """Reads a file word by word.

    Args:
        file: open for reading; the caller closes it.
        offset: where to begin, in bytes.
    """

    def __init__(self, file: BinaryIO, offset: int = 0) -> None:
        self._file = file
        file.seek(offset)
        self._begins = offset  # where the piece in memory does
        self._piece = b""
        self._at = 0
        self._is_last = False

    @property
    def offset(self) -> int:
        """Where the next word begins, in bytes; there may be space before it."""
        return self._begins + self._at

    def next(self) -> Word:
        """Return the next word.

        Raises:
            PorticoError: INVALID_REQUEST for a string or comment without an end, or a longer one
                than we take.
        """
        while (found := self._match(_NEXT)) is not None:
            self._at = found.end()
            if found.lastgroup == "space":
                continue
            return _word(str(found.lastgroup), found.group())
        return END

    def skip_statement(self) -> None:
        """Go past the next `;` that is none of a string's; raises as `next` does."""
        word = Word(Sort.SIGN, "")
        while word not in {END, SEMICOLON}:
            while (found := self._match(_REST, may_fail=True)) is not None:
                self._at = found.end()
            word = self.next()

    def __iter__(self) -> Iterator[Word]:
        """Go through the words to the end of the file."""
        while (word := self.next()) != END:
            yield word

    def _match(self, what: re.Pattern[bytes], *, may_fail: bool = False) -> re.Match[bytes] | None:
        """Find what comes next; None at the end of the file, or where it may fail and does."""
        while True:
            found = what.match(self._piece, self._at)
            if found is not None and (self._is_last or found.end() < len(self._piece)):
                return found
            if may_fail and found is not None:
                return found
            if may_fail and self._at < len(self._piece):
                return None
            if not self._is_last:
                self._read_on()
            elif self._at == len(self._piece):
                return None
            elif found is None:
                message = "the dump ends within a string or a comment: is it complete?"
                raise refused(message)

    def _read_on(self) -> None:
        rest = self._piece[self._at :]
        if len(rest) > WORD_BYTES_MAX:
            message = f"the dump has a value of more than {WORD_BYTES_MAX:,} bytes"
            raise refused(message)
        more = self._file.read(max(PIECE_BYTES, len(rest)))
        self._begins += self._at
        self._piece, self._at = rest + more, 0
        self._is_last = not more


def _word(group: str, raw: bytes) -> Word:
    if group == "string":
        inside = _ESCAPED.sub(_unescaped, raw[1:-1])
        return Word(Sort.STRING, inside.decode("utf-8", "replace"))
    if group == "name":
        return Word(Sort.NAME, raw[1:-1].replace(b"``", b"`").decode("utf-8", "replace"))
    return Word(Sort.WORD if group == "word" else Sort.SIGN, raw.decode("utf-8", "replace"))


def _unescaped(found: re.Match[bytes]) -> bytes:
    letter: bytes | None = found.group(1)
    return found.group()[:1] if letter is None else _ESCAPES.get(letter, letter)
