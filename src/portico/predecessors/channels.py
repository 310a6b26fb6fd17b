"""Channels, as credentials and routes to be.

Sources: the table `channels` of both, and their lists of channel types with the base URLs that
are meant where a channel names none. The numbers are the same up to 24 and differ from there on.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from portico.predecessors.values import ForeignRow, json_of, text_of, whole_of

KEYS_MAX = 100  # of one channel
MODELS_MAX = 2_000
_ENABLED = 1
_OPENAI = "openai_like"


class _Kind(NamedTuple):
    """Which code speaks for a type of channel, and where."""

    provider: str
    base_url: str = ""
    path: str = ""  # that our provider's base URL has and a channel's has not


_LIKE = _Kind(_OPENAI, path="/v1")
_SAME: Mapping[int, _Kind] = {  # in both
    1: _Kind(_OPENAI, "https://api.openai.com", "/v1"),
    5: _Kind(_OPENAI, "https://api.openai-sb.com", "/v1"),
    6: _Kind(_OPENAI, "https://api.openaimax.com", "/v1"),
    7: _Kind(_OPENAI, "https://api.ohmygpt.com", "/v1"),
    10: _Kind(_OPENAI, "https://api.aiproxy.io", "/v1"),
    12: _Kind(_OPENAI, "https://api.api2gpt.com", "/v1"),
    13: _Kind(_OPENAI, "https://api.aigc2d.com", "/v1"),
    17: _Kind("dashscope", "https://dashscope.aliyuncs.com"),
    20: _Kind(_OPENAI, "https://openrouter.ai/api", "/v1"),
    24: _Kind("veo", "https://generativelanguage.googleapis.com"),
    25: _Kind(_OPENAI, "https://api.moonshot.cn", "/v1"),
}
_NEW_API: Mapping[int, _Kind] = {
    4: _Kind(_OPENAI, "http://localhost:11434", "/v1"),
    26: _Kind(_OPENAI, "https://open.bigmodel.cn", "/api/paas/v4"),
    27: _Kind(_OPENAI, "https://api.perplexity.ai"),
    31: _Kind(_OPENAI, "https://api.lingyiwanwu.com", "/v1"),
    35: _Kind("minimax", "https://api.minimax.chat"),
    40: _Kind(_OPENAI, "https://api.siliconflow.cn", "/v1"),
    42: _Kind(_OPENAI, "https://api.mistral.ai", "/v1"),
    43: _Kind(_OPENAI, "https://api.deepseek.com", "/v1"),
    45: _Kind("ark", "https://ark.cn-beijing.volces.com", "/api/v3"),
    46: _Kind(_OPENAI, "https://qianfan.baidubce.com", "/v2"),
    47: _LIKE,
    48: _Kind(_OPENAI, "https://api.x.ai", "/v1"),
    50: _Kind("kling", "https://api.klingai.com"),
    52: _Kind("vidu", "https://api.vidu.cn"),
    53: _Kind(_OPENAI, "https://llm.submodel.ai", "/v1"),
    54: _Kind("ark", "https://ark.cn-beijing.volces.com", "/api/v3"),
    55: _Kind(_OPENAI, "https://api.openai.com", "/v1"),
    56: _Kind("replicate", "https://api.replicate.com"),
}
_ONE_API: Mapping[int, _Kind] = {
    4: _Kind(_OPENAI, "https://api.closeai-proxy.xyz", "/v1"),
    26: _Kind(_OPENAI, "https://api.baichuan-ai.com", "/v1"),
    28: _Kind(_OPENAI, "https://api.mistral.ai", "/v1"),
    29: _Kind(_OPENAI, "https://api.groq.com/openai", "/v1"),
    30: _Kind(_OPENAI, "http://localhost:11434", "/v1"),
    31: _Kind(_OPENAI, "https://api.lingyiwanwu.com", "/v1"),
    32: _Kind(_OPENAI, "https://api.stepfun.com", "/v1"),
    36: _Kind(_OPENAI, "https://api.deepseek.com", "/v1"),
    39: _Kind(_OPENAI, "https://api.together.xyz", "/v1"),
    40: _Kind("ark", "https://ark.cn-beijing.volces.com", "/api/v3"),
    41: _Kind(_OPENAI, "https://api.novita.ai/v3/openai"),
    44: _Kind(_OPENAI, "https://api.siliconflow.cn", "/v1"),
    45: _Kind(_OPENAI, "https://api.x.ai", "/v1"),
    46: _Kind("replicate", "https://api.replicate.com"),
    47: _Kind(_OPENAI, "https://qianfan.baidubce.com", "/v2"),
    50: _Kind(_OPENAI),
}
TYPES: Mapping[str, Mapping[int, _Kind]] = {
    "new-api": {**_SAME, **_NEW_API},
    "one-api": {**_SAME, **_ONE_API},
}


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
    known = TYPES[kind].get(number, _Kind(""))
    base_url = _base_url(known, text_of(row, "base_url"))
    return ForeignChannel(
        id=whole_of(row, "id"),
        type=number,
        name=text_of(row, "name"),
        provider=known.provider,
        base_url=base_url,
        options=_options(base_url),
        secrets=tuple(_secret(known.provider, each) for each in _secrets(row)),
        disabled_secrets=_disabled(row),
        is_enabled=whole_of(row, "status", _ENABLED) == _ENABLED,
        groups=frozenset(_listed(text_of(row, "group") or "default")),
        models=_models(row),
        priority=whole_of(row, "priority"),
        weight=max(0, whole_of(row, "weight")),
    )


def _base_url(known: _Kind, given: str) -> str:
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


def _secret(provider: str, secret: str) -> str:
    return secret.replace("|", ":", 1) if provider == "kling" else secret


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
