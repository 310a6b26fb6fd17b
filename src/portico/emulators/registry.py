"""Every emulator by its name: one line each."""

from portico.emulators.ark import ArkEmulator
from portico.emulators.dashscope import DashScopeEmulator
from portico.emulators.emulator import Emulator
from portico.emulators.fal import FalEmulator
from portico.emulators.kling import KlingEmulator
from portico.emulators.minimax import MiniMaxEmulator
from portico.emulators.openai import OpenAiEmulator
from portico.emulators.replicate import ReplicateEmulator
from portico.emulators.vidu import ViduEmulator
from portico.emulators.wavespeed import WaveSpeedEmulator

EMULATORS: dict[str, type[Emulator]] = {
    "ark": ArkEmulator,
    "dashscope": DashScopeEmulator,
    "fal": FalEmulator,
    "kling": KlingEmulator,
    "minimax": MiniMaxEmulator,
    "openai": OpenAiEmulator,
    "replicate": ReplicateEmulator,
    "vidu": ViduEmulator,
    "wavespeed": WaveSpeedEmulator,
}
