"""What is special about WaveSpeed: paths by inputs, fields by model, uploads, codes inside."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, Mode, Role
from portico.core.upstreams import Call, Reply, Trouble, UpstreamError
from portico.providers.base import Assignment, Credential, Finished, InputFile, Remaining
from portico.providers.wavespeed import WaveSpeed, path_of

SEEDANCE = "bytedance/seedance-2.0/text-to-video"
WHERE = "https://a.example/"
TAKEN = {"code": 200, "data": {"id": "w1", "status": "created"}}


class ScriptedUpstream:
    """Implements `Upstream`: answers by a script of statuses and bodies."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []

    async def send(self, call: Call) -> Reply:
        self.calls.append(call)
        status, answer = self.answers.pop(0)
        return Reply(status=status, body=msgspec.json.encode(answer))

    def listen(self, call: Call) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def save(self, call: Call, to: Path, *, size_max_bytes: int) -> int:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def wavespeed(*answers: tuple[int, object]) -> tuple[WaveSpeed, ScriptedUpstream]:
    upstream = ScriptedUpstream(*answers)
    return WaveSpeed(Credential(name="main", base_url="", secret="k"), upstream), upstream


def file(role: Role, name: str = "a") -> InputFile:
    return InputFile(role, "image/png", Path(name), url=f"{WHERE}{name}")


def assignment(
    *inputs: InputFile,
    model: str = SEEDANCE,
    kind: Kind = Kind.VIDEO,
    callback_url: str | None = None,
    **params: Any,
) -> Assignment:
    job = MediaJob(offering="o", model="m", kind=kind, mode=Mode.TEXT, prompt="sea", params=params)
    return Assignment(
        job=job,
        stage="generate",
        model=model,
        inputs=inputs,
        folder=Path(),
        callback_url=callback_url,
    )


async def sent(*inputs: InputFile, **given: Any) -> Call:
    provider, upstream = wavespeed((200, TAKEN))
    await provider.start(assignment(*inputs, **given), attempt_id="a")
    return upstream.calls[-1]


async def body_of(*inputs: InputFile, **given: Any) -> Any:
    return (await sent(*inputs, **given)).body


FIRST, LAST = file(Role.FIRST_FRAME, "first"), file(Role.LAST_FRAME, "last")
PERSON = file(Role.REFERENCE_IMAGE, "person")
LITE, TURBO = "bytedance/seedance-v1-lite", "bytedance/seedance-2.0-fast/text-to-video-turbo"


@pytest.mark.parametrize(
    ("model", "inputs", "path"),
    [
        (SEEDANCE, (), SEEDANCE),
        (SEEDANCE, (FIRST,), "bytedance/seedance-2.0/image-to-video"),
        (SEEDANCE, (PERSON,), SEEDANCE),
        (TURBO, (FIRST, LAST), "bytedance/seedance-2.0-fast/image-to-video-turbo"),
        (LITE, (), f"{LITE}/text-to-video"),
        (LITE, (PERSON,), f"{LITE}/reference-to-video"),
        ("vidu/image-to-video-q3", (), "vidu/text-to-video-q3"),
    ],
)
def test_task_in_the_path_of_a_video_follows_from_the_inputs(model, inputs, path):
    assert path_of(assignment(*inputs, model=model)) == path


@pytest.mark.parametrize(
    ("model", "inputs", "path"),
    [
        ("bytedance/seedream-v4.5", (), "bytedance/seedream-v4.5"),
        ("bytedance/seedream-v4.5", (PERSON,), "bytedance/seedream-v4.5/edit"),
        ("wavespeed-ai/qwen-image/text-to-image", (PERSON,), "wavespeed-ai/qwen-image/edit"),
    ],
)
def test_picture_from_pictures_is_an_edit(model, inputs, path):
    assert path_of(assignment(*inputs, model=model, kind=Kind.IMAGE)) == path


async def test_what_is_asked_goes_under_their_names():
    body = await body_of(duration=5, resolution="720p", ratio="9:16", audio=False)
    assert body == {
        "prompt": "sea",
        "duration": 5,
        "resolution": "720p",
        "aspect_ratio": "9:16",
        "generate_audio": False,
    }


async def test_address_for_the_callback_is_part_of_the_query():
    call = await sent(callback_url="https://p.example/cb?a=1")
    assert call.path == f"/{SEEDANCE}?webhook=https%3A%2F%2Fp.example%2Fcb%3Fa%3D1"


async def test_references_are_lists_and_frames_are_not():
    both = await body_of(FIRST, LAST)
    assert (both["image"], both["last_image"]) == (f"{WHERE}first", f"{WHERE}last")
    assert (await body_of(PERSON))["reference_images"] == [f"{WHERE}person"]


@pytest.mark.parametrize("ratio", ["16:9", "adaptive"])
async def test_ratio_by_default_is_left_to_the_first_frame(ratio):
    body = await body_of(FIRST, model="bytedance/seedance-2.5", ratio=ratio)
    assert "aspect_ratio" not in body


@pytest.mark.parametrize(
    ("inputs", "given", "param"),
    [
        ((FIRST,), {"model": "bytedance/seedance-2.5", "ratio": "9:16"}, "ratio"),
        ((), {"lock_camera": True}, "lock_camera"),
        ((), {"seed": 7}, "seed"),
        ((), {"off_peak": True}, "off_peak"),
        ((FIRST, PERSON), {}, "reference_image"),
        ((PERSON,), {"kind": Kind.IMAGE, "model": "a/b", "duration": 5}, "duration"),
    ],
)
async def test_what_a_model_lacks_is_refused_by_name(inputs, given, param):
    provider, upstream = wavespeed()
    with pytest.raises(PorticoError) as caught:
        await provider.start(assignment(*inputs, **given), attempt_id="a")
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_OPTION, param)
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("params", "size"),
    [
        ({"ratio": "1:1"}, "2048*2048"),
        ({"ratio": "16:9", "resolution": "4k"}, "5464*3072"),
        ({"ratio": "9:16", "resolution": "1k"}, "768*1368"),
        ({"size": "3000x2000", "ratio": "1:1"}, "3000*2000"),
        ({"ratio": "adaptive"}, None),
    ],
)
async def test_picture_has_a_size_with_a_star(params, size):
    body = await body_of(kind=Kind.IMAGE, model="bytedance/seedream-v4.5", **params)
    assert body.get("size") == size


WAN = "alibaba/wan-2.5/text-to-video"


@pytest.mark.parametrize(
    ("params", "size"),
    [
        ({"resolution": "1080p", "ratio": "9:16"}, "1080*1920"),
        ({"resolution": "720p", "ratio": "adaptive"}, "1280*720"),
        ({"size": "1920*1080"}, "1920*1080"),
        ({}, "1280*720"),
    ],
)
async def test_video_of_some_models_has_a_size(params, size):
    body = await body_of(model=WAN, prompt_expansion=True, negative_prompt="", **params)
    assert body == {"prompt": "sea", "size": size, "enable_prompt_expansion": True}


async def test_shape_that_such_a_model_does_not_make_is_refused():
    provider, _ = wavespeed()
    with pytest.raises(PorticoError) as caught:
        await provider.start(assignment(model=WAN, ratio="1:1"), attempt_id="a")
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_OPTION, "ratio")


async def test_size_beside_a_first_frame_is_a_resolution():
    body = await body_of(FIRST, model=WAN, size="1080x1920")
    assert body == {"prompt": "sea", "image": f"{WHERE}first", "resolution": "1080p"}


def own_file(folder: Path) -> InputFile:
    path = folder / "a"
    path.write_bytes(b"xx")
    return InputFile(Role.FIRST_FRAME, "image/png", path, link="https://p.example/a")


async def test_file_of_ours_is_uploaded_and_sent_by_its_address(tmp_path):
    stored = {"code": 200, "data": {"download_url": f"{WHERE}stored.png"}}
    provider, upstream = wavespeed((200, stored), (200, TAKEN))
    await provider.start(assignment(own_file(tmp_path)), attempt_id="a")
    upload, submit = upstream.calls
    assert (upload.path, upload.once, submit.once) == ("/media/upload/binary", False, True)
    assert upload.parts[0].file_name == "first_frame-1.png"
    body: Any = submit.body
    assert body["image"] == f"{WHERE}stored.png"


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (200, Trouble.UNREACHED),
        (500, Trouble.UNREACHED),
        (400, Trouble.MEDIA),
        (401, Trouble.CREDENTIAL),
        (429, Trouble.BUSY),
    ],
)
async def test_upload_that_fails_begins_nothing_and_may_be_tried_again(tmp_path, status, trouble):
    stored = {"code": 200, "data": {"download_url": f"{WHERE}stored.png"}}
    provider, upstream = wavespeed((status, {"code": status}), (200, stored), (200, TAKEN))
    with pytest.raises(UpstreamError) as caught:
        await provider.start(assignment(own_file(tmp_path)), attempt_id="a")
    assert caught.value.trouble is trouble
    assert len(upstream.calls) == 1
    await provider.start(assignment(own_file(tmp_path)), attempt_id="a")


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ({"code": 401, "message": "no"}, Trouble.CREDENTIAL),
        ({"code": 402, "message": "no"}, Trouble.CREDIT),
        ({"code": 400, "data": {"code": 1402}}, Trouble.MEDIA),
        ({"code": 200, "data": {"id": "w1", "code": 1200}}, Trouble.CONTENT),
        ({"code": 500, "message": "no"}, Trouble.AMBIGUOUS),
        ({"code": 200, "data": None}, Trouble.AMBIGUOUS),
    ],
)
async def test_refusal_inside_a_good_answer_is_one(answer, trouble):
    provider, _ = wavespeed((200, answer))
    with pytest.raises(UpstreamError) as caught:
        await provider.start(assignment(), attempt_id="a")
    assert caught.value.trouble is trouble


@pytest.mark.parametrize(
    ("data", "trouble"),
    [
        ({"status": "failed", "code": 1200}, Trouble.CONTENT),
        ({"status": "failed", "code": 1402}, Trouble.MEDIA),
        ({"status": "failed", "code": 5000}, Trouble.FAILED),
        ({"status": "timeout", "error": "HTTP 503"}, Trouble.FAILED),
        ({"status": "deleted"}, Trouble.FAILED),
    ],
)
async def test_failed_prediction_says_why_by_its_code(data, trouble):
    provider, _ = wavespeed((200, {"code": 200, "data": data}))
    with pytest.raises(UpstreamError) as caught:
        await provider.check("w1")
    assert caught.value.trouble is trouble


async def test_answer_without_a_prediction_is_asked_for_again():
    provider, _ = wavespeed((200, {"code": 500, "message": "no"}))
    with pytest.raises(UpstreamError) as caught:
        await provider.check("w1")
    assert caught.value.code is ErrorCode.OVERLOADED


@pytest.mark.parametrize(
    ("model", "usage"), [("bytedance/seedream-v4.5", {"images": 1}), (SEEDANCE, {}), (7, {})]
)
async def test_only_pictures_are_counted(model, usage):
    data = {"status": "completed", "model": model, "outputs": [f"{WHERE}a", 7, "file:///a"]}
    provider, _ = wavespeed((200, {"code": 200, "data": data}))
    finished = await provider.check("w1")
    assert isinstance(finished, Finished)
    assert [output.url for output in finished.outputs] == [f"{WHERE}a"]
    assert finished.usage == usage


async def test_stopping_sends_nothing():
    provider, upstream = wavespeed()
    await provider.cancel("w1")
    assert upstream.calls == []


async def test_balance_is_in_dollars():
    provider, upstream = wavespeed((200, {"code": 200, "data": {"balance": 50.25}}))
    assert await provider.balance() == Remaining(50_250_000, "USD")
    assert upstream.calls[0].path == "/balance"


async def test_balance_that_is_none_is_not_zero():
    provider, _ = wavespeed((200, {"code": 200, "data": {}}))
    with pytest.raises(UpstreamError) as caught:
        await provider.balance()
    assert caught.value.code is ErrorCode.OVERLOADED
