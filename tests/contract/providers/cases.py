"""One line per provider: what the contract suite has to know to try it against its emulator."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from portico.core.jobs import ChatJob, Kind, MediaJob, Message, Mode, ParamValue
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
from portico.outbound import UpstreamClient, UpstreamLimits
from portico.providers.base import Assignment, Credential, InputFile
from portico.providers.registry import BUILDERS
from portico.testing import FakeClock

SECRET = "k-canary-7"
LIMITS = UpstreamLimits(call_s=1.5, event_s=1.5)


@dataclass(frozen=True)
class Case:
    """A provider and the emulator of its upstream.

    Args:
        provider: its name in the registry.
        emulator: makes the other end.
        video, image, chat: models to ask for; None where it makes no such thing.
        usage: what a video of 5 s at 720p, 16:9 is counted as.
        finds: whether a lost start can be looked up.
        by_key: whether that repeats the start under a key, which begins it if it was not taken.
        shows_queue: whether it tells a job that waits from one that runs.
        stops: whether a job that waits can be stopped.
        waited_image: a model for pictures that are jobs, where they do not come at once.
        takes_files: whether a picture can be sent, instead of an address to fetch it from.
        secret: of the credential, and the key of the emulator.
        options: of the credential.
        callback: what the upstream says by itself when `job-1` is done; empty: nothing.
    """

    provider: str
    emulator: Callable[..., Emulator]
    video: str | None = None
    image: str | None = None
    chat: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    finds: bool = False
    by_key: bool = False
    shows_queue: bool = True
    stops: bool = True
    waited_image: str | None = None
    takes_files: bool = True
    secret: str = SECRET
    options: dict[str, str] = field(default_factory=dict)
    callback: str = '{"id": "job-1", "status": "succeeded"}'

    @property
    def id(self) -> str:
        """How a failing test names it."""
        return "-".join((self.provider, *self.options))


def needs(what: str) -> Callable[[Any], Any]:
    """Give a test the cases that have a model for `image`, `waited_image` or `chat`."""

    def mark(test: Any) -> Any:
        test.needed = what
        return test

    return mark


# fmt: off
CASES = (
    Case("ark", ArkEmulator, "doubao-seedance-2-0-260128", "doubao-seedream-4-5-251128", "doubao-seed-2-0-pro-260215", {"video_tokens": 108_900, "seconds": 5}, finds=True),  # noqa: E501
    Case("dashscope", DashScopeEmulator, "wan3.0-video", "qwen-image-2.0", "qwen-plus", {"seconds": 5}, callback=""),  # noqa: E501
    Case("kling", KlingEmulator, "kling-v2-6", usage={"seconds": 5}, finds=True, stops=False, secret=f"access-1:{SECRET}", callback='{"task_id": "job-1", "task_status": "succeed"}'),  # noqa: E501
    Case("minimax", MiniMaxEmulator, "MiniMax-H3", "image-01", "MiniMax-M2.7", {"seconds": 5}, callback='{"task_id": "job-1", "status": "success"}'),  # noqa: E501
    Case("openai_like", OpenAiEmulator, "any-video", "any-image", "any-chat", {"seconds": 5}),
    Case("openai_like", lambda **of: OpenAiEmulator(keeps_keys=True, shows_url=True, **of), "any-video", "any-image", "any-chat", {"seconds": 5}, finds=True, by_key=True, options={"keeps_keys": "1"}),  # noqa: E501
    Case("xiaoyang", XiaoYangEmulator, "any-modal", usage={"credits": 72}, stops=False, takes_files=False, callback=""),  # noqa: E501
    Case("xpilot", XPilotEmulator, "wan-2.6/text-to-video", "bytedance/seedream-4.5", shows_queue=False, stops=False, takes_files=False, callback=""),  # noqa: E501
    Case("apixo", ApixoEmulator, "wan-2-5", stops=False, takes_files=False, callback='{"code": 200, "message": "success", "data": {"taskId": "job-1", "state": "success"}}'),  # noqa: E501
    Case("yuanjing", YuanjingEmulator, "doubao-seedance-2-0-260128", None, "qwen3-max", {"seconds": 5, "credits": 10}, stops=False, callback=""),  # noqa: E501
    Case("portico", PorticoEmulator, "seedance-2.0", None, "gpt-4o", {"seconds": 5, "credits": 75}, finds=True, by_key=True, takes_files=False, callback='{"id": "job-1", "state": "succeeded"}'),  # noqa: E501
    Case("vidu", ViduEmulator, "viduq3-pro", usage={"credits": 150, "seconds": 5}, finds=True, waited_image="viduq2"),  # noqa: E501
    Case("wavespeed", WaveSpeedEmulator, "bytedance/seedance-2.0/text-to-video", stops=False, waited_image="bytedance/seedream-v4.5"),  # noqa: E501
    Case("fal", FalEmulator, "bytedance/seedance-2.0", usage={"compute_seconds": 41.5}, callback='{"request_id": "job-1", "status": "OK"}'),  # noqa: E501
    Case("replicate", ReplicateEmulator, "bytedance/seedance-1-pro", usage={"compute_seconds": 41.5}, finds=True),  # noqa: E501
)
# fmt: on


@dataclass(frozen=True)
class Bench:
    """A running emulator, and a provider that has it as its upstream."""

    case: Case
    emulator: Emulator
    provider: Any
    clock: FakeClock
    folder: Path
    another: Callable[[], Any]  # the same provider, as another process would have it

    def video(self, *inputs: InputFile, prompt: str = "sea", **params: ParamValue) -> Assignment:
        """Ask for a video of 5 s at 720p, 16:9."""
        given: dict[str, ParamValue] = {"duration": 5, "resolution": "720p", "ratio": "16:9"}
        given |= params
        return self.assignment(Kind.VIDEO, self.case.video or "", prompt, given, inputs)

    def image(self, *inputs: InputFile, prompt: str = "sea", **params: ParamValue) -> Assignment:
        """Ask for a square picture."""
        given: dict[str, ParamValue] = {"ratio": "1:1", **params}
        model = self.case.image or self.case.waited_image or ""
        return self.assignment(Kind.IMAGE, model, prompt, given, inputs)

    def chat(self, words: str = "Who?", **sampling: object) -> ChatJob:
        """Ask for a text."""
        messages = (Message("user", words),)
        return ChatJob(offering="o", model="m", messages=messages, max_tokens=50, sampling=sampling)

    def assignment(
        self,
        kind: Kind,
        model: str,
        prompt: str,
        params: dict[str, ParamValue],
        inputs: tuple[InputFile, ...],
    ) -> Assignment:
        """Ask for anything."""
        mode = Mode.REFERENCE if inputs else Mode.TEXT
        job = MediaJob(offering="o", model="m", kind=kind, mode=mode, prompt=prompt, params=params)
        return Assignment(job=job, stage="generate", model=model, inputs=inputs, folder=self.folder)


@asynccontextmanager
async def bench(case: Case, folder: Path, *, latency_s: float = 0.0) -> AsyncIterator[Bench]:
    """Start an emulator and build the provider for it, as the composition root would."""
    clock = FakeClock()
    emulator = case.emulator(clock=clock, latency_s=latency_s, key=case.secret, slow_s=4.0)
    await emulator.start()
    upstream = UpstreamClient(
        emulator.base_url,
        private_hosts=frozenset({("127.0.0.1", emulator.port)}),
        limits=LIMITS,
        clock=clock,
    )
    credential = Credential(
        name="main", base_url=emulator.base_url, secret=case.secret, options=case.options
    )
    build = partial(BUILDERS[case.provider], credential, upstream)
    provider = build()
    try:
        yield Bench(case, emulator, provider, clock, folder, build)
    finally:
        await provider.close()
        await emulator.stop()
