"""Every provider of remote upstreams by its name: one line each."""

from collections.abc import Callable, Mapping
from typing import Any

from portico.core.upstreams import Upstream
from portico.providers.apixo import Apixo
from portico.providers.ark import Ark
from portico.providers.base import Credential
from portico.providers.dashscope.provider import DashScope
from portico.providers.fal import Fal
from portico.providers.kling import Kling
from portico.providers.minimax import MiniMax
from portico.providers.openai_like import OpenAiLike
from portico.providers.portico import Portico
from portico.providers.replicate import Replicate
from portico.providers.vidu import Vidu
from portico.providers.wavespeed import WaveSpeed
from portico.providers.xiaoyang import XiaoYang
from portico.providers.xpilot import XPilot
from portico.providers.yuanjing import Yuanjing

# Each builds a `TaskProvider`, a `ChatProvider` or both; `isinstance` tells what more it is.
BUILDERS: Mapping[str, Callable[[Credential, Upstream], Any]] = {
    Apixo.name: Apixo,
    Ark.name: Ark,
    DashScope.name: DashScope,
    Fal.name: Fal,
    Kling.name: Kling,
    MiniMax.name: MiniMax,
    OpenAiLike.name: OpenAiLike,
    Portico.name: Portico,
    Replicate.name: Replicate,
    Vidu.name: Vidu,
    WaveSpeed.name: WaveSpeed,
    XiaoYang.name: XiaoYang,
    XPilot.name: XPilot,
    Yuanjing.name: Yuanjing,
}
