"""Read a blocklist and match texts against it.

A file has `[[rules]]` tables with `words` (whole words or phrases, any case), `patterns`
(regular expressions) and optionally `models` (catalogue model ids; without it, all models).
"""

import re
import tomllib
import unicodedata
from importlib.resources import files
from pathlib import Path

import msgspec


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words and patterns, for some models or for all."""

    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[Rule, ...] = ()


class Blocklist:
    """What nobody may ask for."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._matchers = [(frozenset(rule.models), _matcher(rule)) for rule in rules]

    def forbids(self, text: str, *, model: str) -> bool:
        """Whether a text must be refused for a model; takes microseconds for a page of text."""
        folded = fold(text)
        return any(
            (not models or model in models) and matcher.search(folded)
            for models, matcher in self._matchers
        )


def load(path: Path | None) -> Blocklist:
    """Read an operator's file, or the shipped list when there is none.

    Raises:
        ValueError: naming what cannot be read.
    """
    shipped = files("portico.moderation") / "blocklist.toml"
    text = path.read_text("utf-8") if path else shipped.read_text("utf-8")
    try:
        return Blocklist(msgspec.convert(tomllib.loads(text), _File).rules)
    except (msgspec.ValidationError, tomllib.TOMLDecodeError, re.error) as error:
        message = f"Unusable blocklist {path or 'as shipped'}: {error}"
        raise ValueError(message) from error


def fold(text: str) -> str:
    """Return a text as it is compared: compatibility forms, case and invisible marks folded."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(each for each in plain if unicodedata.category(each) != "Cf")


def _matcher(rule: Rule) -> re.Pattern[str]:
    words = [_word(fold(word)) for word in rule.words]
    return re.compile("|".join([*words, *(f"(?:{each})" for each in rule.patterns)]) or r"(?!)")


def _word(word: str) -> str:
    """Match a whole word; scripts without spaces between words match anywhere."""
    escaped = re.escape(word).replace(r"\ ", r"\s+")
    return rf"(?<!\w){escaped}(?!\w)" if word.isascii() else escaped
