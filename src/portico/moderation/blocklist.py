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

# Thai, Lao, Burmese, Khmer, kana, Han
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]"
)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words and patterns, for some models or for all."""

    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    models: tuple[str, ...] = ()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: tuple[Rule, ...] = ()


class Blocklist:
    """What nobody may ask for.

    Raises:
        ValueError: for an empty word or pattern (it would match everything), or a broken pattern.
    """

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._matchers = [(frozenset(rule.models), _matchers(rule)) for rule in rules]

    def forbids(self, text: str, *, model: str) -> bool:
        """Whether a text must be refused for a model; takes microseconds for a page of text."""
        folded = fold(text)
        return any(
            (not models or model in models) and any(each.search(folded) for each in matchers)
            for models, matchers in self._matchers
        )


def load(path: Path | None) -> Blocklist:
    """Read an operator's file, or the shipped list when there is none.

    Raises:
        ValueError: naming what cannot be read.
    """
    shipped = files("portico.moderation") / "blocklist.toml"
    try:
        text = path.read_text("utf-8") if path else shipped.read_text("utf-8")
        return Blocklist(msgspec.convert(tomllib.loads(text), _File).rules)
    except (OSError, ValueError, msgspec.ValidationError, re.error) as error:
        message = f"Unusable blocklist {path or 'as shipped'}: {error}"
        raise ValueError(message) from error


def fold(text: str) -> str:
    """Return a text as it is compared: compatibility forms, case and invisible marks folded."""
    if text.isascii():  # has neither compatibility forms nor invisible marks
        return text.casefold()
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(each for each in plain if unicodedata.category(each) != "Cf")


def _matchers(rule: Rule) -> list[re.Pattern[str]]:
    """Compile all words together, and each pattern alone, so that its groups stay its own."""
    words = [fold(word).strip() for word in rule.words]
    if not all(words) or not all(rule.patterns):
        message = "an empty word or pattern"
        raise ValueError(message)
    texts = ["|".join(_word(word) for word in words)] if words else []
    return [re.compile(text, re.IGNORECASE) for text in (*texts, *rule.patterns)]


def _word(word: str) -> str:
    """Match a whole word; scripts without spaces between words match anywhere."""
    escaped = r"\s+".join(re.escape(part) for part in word.split())
    return escaped if _UNSPACED.search(word) else rf"(?<!\w){escaped}(?!\w)"
