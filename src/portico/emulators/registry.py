"""Every emulator by its name: one line each."""

from portico.emulators.ark import ArkEmulator
from portico.emulators.dashscope import DashScopeEmulator
from portico.emulators.emulator import Emulator
from portico.emulators.kling import KlingEmulator
from portico.emulators.minimax import MiniMaxEmulator
from portico.emulators.openai import OpenAiEmulator

EMULATORS: dict[str, type[Emulator]] = {
    "ark": ArkEmulator,
    "dashscope": DashScopeEmulator,
    "kling": KlingEmulator,
    "minimax": MiniMaxEmulator,
    "openai": OpenAiEmulator,
}
