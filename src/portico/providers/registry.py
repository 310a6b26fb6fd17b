"""Every provider of remote upstreams by its name: one line each."""

from collections.abc import Callable, Mapping
from typing import Any

from portico.core.upstreams import Upstream
from portico.providers.apixo import Apixo
from portico.providers.ark import Ark
from portico.providers.base import Credential
from portico.providers.openai_like import OpenAiLike
from portico.providers.portico import Portico
from portico.providers.xiaoyang import XiaoYang
from portico.providers.xpilot import XPilot
from portico.providers.yuanjing import Yuanjing

# Each builds a `TaskProvider`, a `ChatProvider` or both; `isinstance` tells what more it is.
BUILDERS: Mapping[str, Callable[[Credential, Upstream], Any]] = {
    Apixo.name: Apixo,
    Ark.name: Ark,
    OpenAiLike.name: OpenAiLike,
    Portico.name: Portico,
    XiaoYang.name: XiaoYang,
    XPilot.name: XPilot,
    Yuanjing.name: Yuanjing,
}
