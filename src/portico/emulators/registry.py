"""Every emulator by its name: one line each."""

from portico.emulators.ark import ArkEmulator
from portico.emulators.dashscope import DashScopeEmulator
from portico.emulators.emulator import Emulator
from portico.emulators.openai import OpenAiEmulator
from portico.emulators.vidu import ViduEmulator
from portico.emulators.wavespeed import WaveSpeedEmulator

EMULATORS: dict[str, type[Emulator]] = {
    "ark": ArkEmulator,
    "dashscope": DashScopeEmulator,
    "openai": OpenAiEmulator,
    "vidu": ViduEmulator,
    "wavespeed": WaveSpeedEmulator,
}
