"""Every emulator by its name: one line each."""

from portico.emulators.apixo import ApixoEmulator
from portico.emulators.ark import ArkEmulator
from portico.emulators.emulator import Emulator
from portico.emulators.openai import OpenAiEmulator
from portico.emulators.portico import PorticoEmulator
from portico.emulators.xiaoyang import XiaoYangEmulator
from portico.emulators.xpilot import XPilotEmulator
from portico.emulators.yuanjing import YuanjingEmulator

EMULATORS: dict[str, type[Emulator]] = {
    "apixo": ApixoEmulator,
    "ark": ArkEmulator,
    "openai": OpenAiEmulator,
    "portico": PorticoEmulator,
    "xiaoyang": XiaoYangEmulator,
    "xpilot": XPilotEmulator,
    "yuanjing": YuanjingEmulator,
}
