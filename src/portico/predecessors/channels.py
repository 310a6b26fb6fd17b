"""Channels, as credentials and routes to be.

Sources: the table `channels` of both, and their lists of channel types with the base URLs that
are meant where a channel names none.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from portico.predecessors.values import ForeignRow, json_of, text_of, whole_of

KEYS_MAX = 100  # of one channel
MODELS_MAX = 2_000
_ENABLED = 1
_TYPES = Path(__file__).with_name("channel_types.toml")


class ChannelType(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which code of ours speaks for a type of channel, and where; the file says more."""

    provider: str = ""
    base_url: str = ""
    path: str = ""
    between: str = ""


@cache
def channel_types(kind: str) -> Mapping[str, ChannelType]:
    """Return every type of channel of a predecessor that something here speaks for, by number."""
    tables = _data()
    return msgspec.convert(tables["both"] | tables[kind], dict[str, ChannelType])


def may_be_text(model: str) -> bool:
    """Whether nothing in a model's name says that it makes something else than texts."""
    return not any(word in model.lower() for word in _data()["no_text"])


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(_TYPES.read_text("utf-8"))


class ForeignChannel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel; `models` leads from the name clients use to the upstream's own."""

    id: int
    type: int
    name: str
    provider: str  # empty: no code of ours speaks for this type
    base_url: str
    options: Mapping[str, str]
    secrets: tuple[str, ...]
    disabled_secrets: frozenset[int]  # by their place
    is_enabled: bool
    groups: frozenset[str]
    models: Mapping[str, str]
    priority: int
    weight: int

    def __repr__(self) -> str:
        """Keep the secrets out of whatever is printed."""
        return f"ForeignChannel({self.id}, {self.type})"


def foreign_channel(row: ForeignRow, kind: str) -> ForeignChannel:
    """Read a row of `channels` of a predecessor of that kind.

    Raises:
        PorticoError: INVALID_REQUEST naming the column that cannot be read.
    """
    number = whole_of(row, "type")
    known = channel_types(kind).get(str(number), ChannelType())
    base_url = _base_url(known, text_of(row, "base_url"))
    return ForeignChannel(
        id=whole_of(row, "id"),
        type=number,
        name=text_of(row, "name"),
        provider=known.provider,
        base_url=base_url,
        options=_options(base_url),
        secrets=tuple(_secret(known, each) for each in _secrets(row)),
        disabled_secrets=_disabled(row),
        is_enabled=whole_of(row, "status", _ENABLED) == _ENABLED,
        groups=frozenset(_listed(text_of(row, "group") or "default")),
        models=_models(row),
        priority=whole_of(row, "priority"),
        weight=max(0, whole_of(row, "weight")),
    )


def _base_url(known: ChannelType, given: str) -> str:
    found = (given or known.base_url).rstrip("/")
    if not found or found.endswith(known.path):
        return found
    return found + known.path


def _options(base_url: str) -> Mapping[str, str]:
    """OpenAI itself calls the limit of a text by another name than those who are like it."""
    if base_url.startswith("https://api.openai.com/"):
        return {"max_tokens_field": "max_completion_tokens"}
    return {}


def _secrets(row: ForeignRow) -> list[str]:
    """One key a line; a key that is JSON belongs to no upstream we have code for."""
    lines = [line.strip() for line in text_of(row, "key").splitlines()]
    return [line for line in lines if line][:KEYS_MAX]


def _secret(known: ChannelType, secret: str) -> str:
    return secret.replace(known.between, ":", 1) if known.between else secret


def _disabled(row: ForeignRow) -> frozenset[int]:
    info = json_of(row, "channel_info")
    states = info.get("multi_key_status_list") if isinstance(info, Mapping) else None
    if not isinstance(states, Mapping):
        return frozenset()
    return frozenset(
        int(place) for place, state in states.items() if str(place).isdigit() and state != _ENABLED
    )


def _models(row: ForeignRow) -> dict[str, str]:
    names = _listed(text_of(row, "models"))[:MODELS_MAX]
    mapping = json_of(row, "model_mapping")
    other = mapping if isinstance(mapping, Mapping) else {}
    return {name: str(other.get(name) or name) for name in names}


def _listed(text: str) -> list[str]:
    return [part for part in (each.strip() for each in text.split(",")) if part]
