"""What is special about Ark: its models' gaps, options in prompts, lost tasks found by a seed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.clock import MINUTE_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, Mode, Role
from portico.core.upstreams import Call, Reply, UpstreamError
from portico.providers.ark import LIST_PAGES_MAX, LIST_SIZE, Ark, plain_words, seed_of
from portico.providers.base import Assignment, Credential, InputFile, Lost, Missing, Pending
from portico.testing import START

SEEDANCE = "doubao-seedance-2-0-260128"
OLD_SEEDANCE = "doubao-seedance-1-0-pro-250528"
CREATED_S = START // 1_000


class ScriptedUpstream:
    """Implements `Upstream`: answers JSON from a script and remembers the calls."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers) or [{"id": "cgt-1"}]
        self.calls: list[Call] = []

    async def send(self, call: Call) -> Reply:
        self.calls.append(call)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Reply(status=200, body=msgspec.json.encode(answer))

    def listen(self, call: Call) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def save(self, call: Call, to: Path, *, size_max_bytes: int) -> int:
        raise NotImplementedError

    async def close(self) -> None:
        pass

    @property
    def body(self) -> Any:
        return self.calls[-1].body


def ark(*answers: object) -> tuple[Ark, ScriptedUpstream]:
    upstream = ScriptedUpstream(*answers)
    return Ark(Credential(name="main", base_url="", secret="k"), upstream), upstream


def assignment(
    *inputs: InputFile, model: str = SEEDANCE, kind: Kind = Kind.VIDEO, **params: Any
) -> Assignment:
    job = MediaJob(offering="o", model="m", kind=kind, mode=Mode.TEXT, prompt="sea", params=params)
    return Assignment(job=job, stage="generate", model=model, inputs=inputs, folder=Path())


async def body_of(*inputs: InputFile, **given: Any) -> Any:
    provider, upstream = ark()
    await provider.start(assignment(*inputs, **given), attempt_id="a")
    return upstream.body


@pytest.mark.parametrize(
    ("prompt", "sent"),
    [
        ("a boat --dur 12 --rs 1080p", "a boat –dur 12 –rs 1080p"),
        ("--rt 1:1", "–rt 1:1"),
        ("a -- b, c--d", "a -- b, c–d"),
        ("plain - words", "plain - words"),
    ],
)
def test_prompt_cannot_order_more_than_was_paid(prompt, sent):
    assert plain_words(prompt) == sent


async def test_what_is_asked_goes_under_their_names():
    body = await body_of(
        model=OLD_SEEDANCE, duration=5, resolution="720p", seed=7, lock_camera=True, off_peak=True
    )
    wanted = {"duration": 5, "resolution": "720p", "seed": 7, "camera_fixed": True}
    assert {name: body[name] for name in wanted} == wanted
    assert body["service_tier"] == "flex"


async def test_sound_is_switched_off_in_words_since_it_is_on_by_itself():
    assert (await body_of(audio=False))["generate_audio"] is False
    assert "generate_audio" not in await body_of(model=OLD_SEEDANCE, audio=False)


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (SEEDANCE, {"lock_camera": True}),
        (SEEDANCE, {"off_peak": True}),
        (OLD_SEEDANCE, {"audio": True}),
        (SEEDANCE, {"negative_prompt": "rain"}),
    ],
)
async def test_what_a_model_lacks_is_refused_by_name(model, given):
    provider, upstream = ark()
    with pytest.raises(PorticoError) as caught:
        await provider.start(assignment(model=model, **given), attempt_id="a")
    assert (caught.value.code, caught.value.param) == (
        ErrorCode.UNSUPPORTED_OPTION,
        next(iter(given)),
    )
    assert upstream.calls == []


async def test_option_that_asks_for_nothing_is_left_out():
    body = await body_of(lock_camera=False, negative_prompt="", enhance=True)
    assert set(body) == {"model", "content", "seed"}


async def test_other_stage_than_generating_is_refused():
    provider, _ = ark()
    enhance = msgspec.structs.replace(assignment(), stage="enhance")
    with pytest.raises(PorticoError) as caught:
        await provider.start(enhance, attempt_id="a")
    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION


@pytest.mark.parametrize(
    ("where", "sent"),
    [
        ({"url": "https://a.example/v", "link": "https://p.example/v"}, "https://a.example/v"),
        ({"link": "https://p.example/v"}, "https://p.example/v"),
    ],
)
async def test_video_is_handed_on_by_address(tmp_path, where, sent):
    clip = InputFile(Role.REFERENCE_VIDEO, "video/mp4", tmp_path / "clip", **where)
    item = (await body_of(clip))["content"][1]
    assert item == {"type": "video_url", "video_url": {"url": sent}, "role": "reference_video"}


async def test_video_that_nobody_else_can_fetch_is_refused_by_name(tmp_path):
    provider, upstream = ark()
    clip = InputFile(Role.REFERENCE_VIDEO, "video/mp4", tmp_path / "clip")
    with pytest.raises(PorticoError, match="PORTICO_PUBLIC_URL") as caught:
        await provider.start(assignment(clip), attempt_id="a")
    assert (caught.value.code, caught.value.param) == (
        ErrorCode.MEDIA_REJECTED,
        "reference_video",
    )
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("params", "size"),
    [
        ({"ratio": "16:9"}, "2560x1440"),
        ({"size": "3000x2000"}, "3000x2000"),
        ({"resolution": "4k"}, "4K"),
        ({"resolution": "720p"}, "2K"),
        ({"ratio": "adaptive"}, "2K"),
        ({}, "2K"),
    ],
)
async def test_picture_has_a_size_its_models_make(params, size):
    provider, upstream = ark({"data": [{"url": "https://x.example/a.png"}]})
    await provider.start(assignment(kind=Kind.IMAGE, **params), attempt_id="a")
    assert (upstream.body["size"], upstream.body["watermark"]) == (size, False)


def test_attempts_have_seeds_of_their_own():
    seeds = {seed_of(f"att_{number}") for number in range(2_000)}
    assert len(seeds) == 2_000
    assert all(0 <= seed < 2**32 for seed in seeds)


def listed(seed: object, *, created_s: object = CREATED_S, number: int = 1) -> dict[str, object]:
    return {"id": f"cgt-{number}", "status": "running", "seed": seed, "created_at": created_s}


def page(*items: object) -> dict[str, object]:
    return {"total": len(items), "items": list(items)}


async def find(*pages: object, **params: Any) -> tuple[Any, int]:
    provider, upstream = ark(*pages)
    lost = Lost(attempt_id="a", assignment=assignment(**params), started_at=START)
    return await provider.find(lost), len(upstream.calls)


async def test_lost_task_is_found_by_its_seed():
    found, _ = await find(page(listed(1, number=8), listed(seed_of("a"), number=9)))
    assert isinstance(found, Pending)
    assert found.upstream_id == "cgt-9"


async def test_older_task_with_the_same_seed_is_another():
    long_ago_s = CREATED_S - 10 * MINUTE_MS // 1_000
    found, _ = await find(page(listed(seed_of("a"), created_s=long_ago_s)))
    assert isinstance(found, Missing)


async def test_seed_of_the_customer_marks_nothing():
    found, calls = await find(page(listed(7)), seed=7)
    assert (found, calls) == (None, 0)


@pytest.mark.parametrize("answer", [{}, {"items": 7}, [], {"items": {"id": 1}}])
async def test_list_that_is_none_is_asked_for_again_later(answer):
    with pytest.raises(PorticoError) as caught:
        await find(answer)
    assert caught.value.code is ErrorCode.OVERLOADED


async def test_strange_items_of_a_list_are_passed_over():
    found, _ = await find(page(7, None, {}, listed(seed_of("a"), created_s="?"), listed("x")))
    assert isinstance(found, Missing)


async def test_search_goes_on_until_the_pages_lie_before_the_start():
    later = page(*[listed(1, created_s=CREATED_S + 60)] * LIST_SIZE)
    before = page(*[listed(1, created_s=CREATED_S - 3_600)] * LIST_SIZE)
    found, calls = await find(later, later, before)
    assert isinstance(found, Missing)
    assert calls == 3


async def test_list_without_end_tells_nothing():
    found, calls = await find(page(*[listed(1)] * LIST_SIZE))
    assert (found, calls) == (None, LIST_PAGES_MAX)


@pytest.mark.parametrize(
    ("usage", "noted"), [({"completion_tokens": 108_900}, {"video_tokens": 108_900}), (None, {})]
)
async def test_task_that_failed_says_what_it_measured_if_anything(usage, noted):
    code = "OutputVideoSensitiveContentDetected"
    provider, _ = ark({"id": "cgt-1", "status": "failed", "error": {"code": code}, "usage": usage})
    with pytest.raises(UpstreamError) as caught:
        await provider.check("cgt-1")
    assert (caught.value.usage, caught.value.of_job().usage) == (noted, noted)
