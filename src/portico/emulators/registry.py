"""Every emulator by its name: one line each."""

from portico.emulators.apixo import ApixoEmulator
from portico.emulators.ark import ArkEmulator
from portico.emulators.dashscope import DashScopeEmulator
from portico.emulators.emulator import Emulator
from portico.emulators.fal import FalEmulator
from portico.emulators.kling import KlingEmulator
from portico.emulators.minimax import MiniMaxEmulator
from portico.emulators.openai import OpenAiEmulator
from portico.emulators.portico import PorticoEmulator
from portico.emulators.replicate import ReplicateEmulator
from portico.emulators.vidu import ViduEmulator
from portico.emulators.wavespeed import WaveSpeedEmulator
from portico.emulators.xiaoyang import XiaoYangEmulator
from portico.emulators.xpilot import XPilotEmulator
from portico.emulators.yuanjing import YuanjingEmulator

EMULATORS: dict[str, type[Emulator]] = {
    "apixo": ApixoEmulator,
    "ark": ArkEmulator,
    "dashscope": DashScopeEmulator,
    "fal": FalEmulator,
    "kling": KlingEmulator,
    "minimax": MiniMaxEmulator,
    "openai": OpenAiEmulator,
    "portico": PorticoEmulator,
    "replicate": ReplicateEmulator,
    "vidu": ViduEmulator,
    "wavespeed": WaveSpeedEmulator,
    "xiaoyang": XiaoYangEmulator,
    "xpilot": XPilotEmulator,
    "yuanjing": YuanjingEmulator,
}
