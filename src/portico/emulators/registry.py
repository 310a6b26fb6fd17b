"""Every emulator by its name: one line each."""

from portico.emulators.ark import ArkEmulator
from portico.emulators.emulator import Emulator
from portico.emulators.fal import FalEmulator
from portico.emulators.openai import OpenAiEmulator
from portico.emulators.replicate import ReplicateEmulator

EMULATORS: dict[str, type[Emulator]] = {
    "ark": ArkEmulator,
    "fal": FalEmulator,
    "openai": OpenAiEmulator,
    "replicate": ReplicateEmulator,
}
