"""What is special about Kling: signed tokens, a path for each kind of task, words for values."""

import base64
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, Mode, Role
from portico.core.upstreams import Call, Reply, Trouble, UpstreamError
from portico.emulators.kling import KlingEmulator
from portico.outbound import UpstreamClient
from portico.providers.base import Assignment, Credential, Finished, InputFile, Lost, Pending
from portico.providers.kling import TOKEN_S, Kling, sign
from portico.testing import START, FakeClock

SECRET = "access-1:secret-1"
TASK = {"code": 0, "data": {"task_id": "77", "task_status": "submitted"}}


class ScriptedUpstream:
    """Implements `Upstream`: answers by its table of paths, else with a new task."""

    def __init__(self, answers: dict[str, object] | None = None, status: int = 200) -> None:
        self.answers = answers
        self.status = status
        self.calls: list[Call] = []

    async def send(self, call: Call) -> Reply:
        self.calls.append(call)
        if self.answers is not None and call.path not in self.answers:
            return Reply(status=404, body=b'{"code":1203}')
        answer = TASK if self.answers is None else self.answers[call.path]
        return Reply(status=self.status, body=msgspec.json.encode(answer))

    def listen(self, call: Call) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def save(self, call: Call, to: Path, *, size_max_bytes: int) -> int:
        raise NotImplementedError

    async def close(self) -> None:
        pass


def kling(
    answers: dict[str, object] | None = None, *, secret: str = SECRET, status: int = 200
) -> tuple[Kling, ScriptedUpstream, FakeClock]:
    upstream, clock = ScriptedUpstream(answers, status), FakeClock()
    credential = Credential(name="main", base_url="", secret=secret)
    return Kling(credential, upstream, clock), upstream, clock


def assignment(
    *inputs: InputFile, model: str = "kling-v2-6", kind: Kind = Kind.VIDEO, **params: Any
) -> Assignment:
    job = MediaJob(offering="o", model="m", kind=kind, mode=Mode.TEXT, prompt="sea", params=params)
    return Assignment(job=job, stage="generate", model=model, inputs=inputs, folder=Path())


async def sent(*inputs: InputFile, **given: Any) -> tuple[str, Any]:
    provider, upstream, _ = kling()
    started = await provider.start(assignment(*inputs, **given), attempt_id="att_1")
    assert isinstance(started, Pending)
    call = upstream.calls[-1]
    assert started.upstream_id == f"{call.path.rpartition('/')[2]}:77"
    body: Any = call.body
    assert body.pop("external_task_id") == "att_1"
    return call.path, body


def at(role: Role, kind: str = "image/png") -> InputFile:
    return InputFile(role, kind, Path("none"), url=f"https://a.example/{role}")


def token_of(call: Call) -> str:
    return call.headers["Authorization"].removeprefix("Bearer ")


def part_of(token: str, number: int) -> Any:
    part = token.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_token_is_signed_with_the_secret_key_and_says_since_when_and_how_long():
    token = sign("access-1", "secret-1", START)
    signed, _, signature = token.rpartition(".")
    right = hmac.digest(b"secret-1", signed.encode(), "sha256")
    assert signature == base64.urlsafe_b64encode(right).decode().rstrip("=")
    assert part_of(token, 0) == {"alg": "HS256", "typ": "JWT"}
    now_s = START // 1_000
    assert part_of(token, 1) == {"iss": "access-1", "exp": now_s + TOKEN_S, "nbf": now_s - 5}


async def test_every_call_carries_a_token_of_its_own_time():
    provider, upstream, clock = kling()
    await provider.start(assignment(), attempt_id="a")
    await clock.advance(3_600)
    await provider.check("text2video:77")
    first, second = [part_of(token_of(call), 1)["exp"] for call in upstream.calls]
    assert second - first == 3_600


async def test_plain_key_is_sent_as_it_is():
    provider, upstream, _ = kling(secret="sk-1")
    await provider.start(assignment(), attempt_id="a")
    assert token_of(upstream.calls[0]) == "sk-1"


@pytest.mark.parametrize(
    ("key", "late_s", "begun"),
    [(SECRET, 0, True), (SECRET, TOKEN_S + 1, False), ("access-1:other", 0, False)],
)
async def test_token_opens_until_it_is_too_old_and_only_with_the_right_key(key, late_s, begun):
    clock, calendar = FakeClock(), FakeClock()
    await calendar.advance(late_s)
    emulator = KlingEmulator(clock=clock, calendar=calendar, key=key)
    await emulator.start()
    listed = frozenset({("127.0.0.1", emulator.port)})
    upstream = UpstreamClient(emulator.base_url, private_hosts=listed, clock=clock)
    credential = Credential(name="main", base_url=emulator.base_url, secret=SECRET)
    provider = Kling(credential, upstream, clock)
    trouble = None
    try:
        await provider.start(assignment(), attempt_id="a")
    except UpstreamError as error:
        trouble = error.trouble
    finally:
        await provider.close()
        await emulator.stop()
    assert bool(emulator.begun) is begun
    assert trouble is (None if begun else Trouble.CREDENTIAL)


async def test_words_alone_go_to_text_to_video_under_their_names():
    path, body = await sent(duration=5, resolution="1080p", ratio="9:16", audio=True)
    assert path == "/v1/videos/text2video"
    assert body == {
        "model_name": "kling-v2-6",
        "prompt": "sea",
        "duration": "5",
        "mode": "pro",
        "aspect_ratio": "9:16",
        "sound": "on",
    }


async def test_frames_go_to_image_to_video_and_settle_the_shape():
    frames = at(Role.FIRST_FRAME), at(Role.LAST_FRAME)
    path, body = await sent(*frames, ratio="16:9", negative_prompt="rain")
    assert path == "/v1/videos/image2video"
    assert body == {
        "model_name": "kling-v2-6",
        "prompt": "sea",
        "negative_prompt": "rain",
        "image": "https://a.example/first_frame",
        "image_tail": "https://a.example/last_frame",
    }


async def test_picture_from_this_machine_goes_as_bare_base64(tmp_path):
    (tmp_path / "a").write_bytes(b"picture")
    _, body = await sent(InputFile(Role.FIRST_FRAME, "image/png", tmp_path / "a"))
    assert base64.b64decode(body["image"], validate=True) == b"picture"


async def test_reference_pictures_go_as_a_list_of_at_most_four():
    path, body = await sent(*[at(Role.REFERENCE_IMAGE)] * 2, model="kling-v1-6")
    assert path == "/v1/videos/multi-image2video"
    assert body["image_list"] == [{"image": "https://a.example/reference_image"}] * 2
    with pytest.raises(PorticoError) as caught:
        await sent(*[at(Role.REFERENCE_IMAGE)] * 5)
    assert caught.value.param == "reference_image"


async def test_model_for_everything_takes_lists_under_one_path():
    inputs = at(Role.REFERENCE_IMAGE), at(Role.REFERENCE_VIDEO, "video/mp4")
    path, body = await sent(*inputs, model="kling-video-o1", duration=7, ratio="adaptive")
    assert path == "/v1/videos/omni-video"
    assert body == {
        "model_name": "kling-video-o1",
        "prompt": "sea",
        "duration": "7",
        "aspect_ratio": "16:9",
        "image_list": [{"image_url": "https://a.example/reference_image"}],
        "video_list": [{"video_url": "https://a.example/reference_video", "refer_type": "feature"}],
    }


async def test_frames_settle_the_shape_for_the_model_for_everything_too():
    frames = at(Role.FIRST_FRAME), at(Role.LAST_FRAME)
    _, body = await sent(*frames, model="kling-v3-omni", ratio="9:16")
    assert [image["type"] for image in body["image_list"]] == ["first_frame", "end_frame"]
    assert "aspect_ratio" not in body


@pytest.mark.parametrize(
    ("images", "videos", "param"),
    [(5, 1, "reference_image"), (8, 0, "reference_image"), (0, 2, "reference_video")],
)
async def test_model_for_everything_takes_so_many_files(images, videos, param):
    inputs = [at(Role.REFERENCE_IMAGE)] * images
    inputs += [at(Role.REFERENCE_VIDEO, "video/mp4")] * videos
    with pytest.raises(PorticoError) as caught:
        await sent(*inputs, model="kling-v3-omni")
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_OPTION, param)


@pytest.mark.parametrize(
    ("params", "wanted"),
    [
        ({"motion_orientation": "image", "resolution": "1080p"}, ("image", "pro")),
        ({}, ("video", "std")),
    ],
)
async def test_motion_says_what_kling_must_be_told(params, wanted):
    inputs = at(Role.FIRST_FRAME), at(Role.MOTION_VIDEO, "video/mp4")
    path, body = await sent(*inputs, **params)
    assert path == "/v1/videos/motion-control"
    assert (body["character_orientation"], body["mode"]) == wanted
    assert body["video_url"] == "https://a.example/motion_video"


async def test_garment_goes_to_the_try_on_which_finds_the_part_itself():
    inputs = at(Role.SOURCE_IMAGE), at(Role.GARMENT)
    path, body = await sent(*inputs, kind=Kind.IMAGE, model="kolors-1", wardrobe_part="upper")
    assert path == "/v1/images/kolors-virtual-try-on"
    assert body == {
        "model_name": "kolors-1",
        "human_image": "https://a.example/source_image",
        "cloth_image": "https://a.example/garment",
    }


@pytest.mark.parametrize(
    ("model", "given", "field"),
    [
        ("kling-v2-master", {"resolution": "720p"}, "mode"),
        ("kling-v1-6", {"audio": False}, "sound"),
        ("kling-v3", {"ratio": "adaptive"}, "aspect_ratio"),
    ],
)
async def test_value_that_means_nothing_there_is_left_out(model, given, field):
    _, body = await sent(model=model, **given)
    assert field not in body


@pytest.mark.parametrize(
    ("model", "kind", "given"),
    [
        ("kling-v2-5-turbo", Kind.VIDEO, {"audio": True}),
        ("kling-v2-6", Kind.VIDEO, {"duration": 7}),
        ("kling-v3", Kind.VIDEO, {"duration": 16}),
        ("kling-v2-master", Kind.VIDEO, {"resolution": "1080p"}),
        ("kling-v3", Kind.VIDEO, {"resolution": "480p"}),
        ("kling-v3", Kind.VIDEO, {"ratio": "4:3"}),
        ("kling-v3", Kind.VIDEO, {"seed": 7}),
        ("kling-v2-1", Kind.IMAGE, {"resolution": "4k"}),
    ],
)
async def test_what_a_model_lacks_is_refused_by_name(model, kind, given):
    provider, upstream, _ = kling()
    with pytest.raises(PorticoError) as caught:
        await provider.start(assignment(model=model, kind=kind, **given), attempt_id="a")
    assert caught.value.code is ErrorCode.UNSUPPORTED_OPTION
    assert caught.value.param == next(iter(given))
    assert upstream.calls == []


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        (1004, Trouble.CREDENTIAL),
        (1100, Trouble.CREDENTIAL),
        (1101, Trouble.CREDIT),
        (1103, Trouble.MODEL),
        (1200, Trouble.REQUEST),
        (1301, Trouble.CONTENT),
        (1303, Trouble.BUSY),
        (5000, Trouble.AMBIGUOUS),
        (9999, Trouble.AMBIGUOUS),
    ],
)
async def test_code_inside_a_good_answer_is_a_refusal(code, trouble):
    provider, _, _ = kling({"/v1/videos/text2video": {"code": code, "message": "secret"}})
    with pytest.raises(UpstreamError) as caught:
        await provider.start(assignment(), attempt_id="a")
    assert caught.value.trouble is trouble


async def test_code_inside_an_answer_about_a_task_ends_nothing():
    provider, _, _ = kling({"/v1/videos/text2video/77": {"code": 1302}})
    with pytest.raises(UpstreamError) as caught:
        await provider.check("text2video:77")
    assert caught.value.code is ErrorCode.OVERLOADED


async def test_bare_id_of_a_callback_is_found_under_the_path_that_began_it():
    provider, upstream, _ = kling({"/v1/videos/image2video/77": TASK})
    hint = provider.parse_callback(b'{"task_id": "77", "task_status": "succeed"}')
    known = await provider.check(hint or "")
    assert isinstance(known, Pending)
    assert known.upstream_id == "image2video:77"
    assert len(upstream.calls) == 2


async def test_lost_task_is_found_by_the_id_of_the_attempt():
    provider, _, _ = kling({"/v1/videos/image2video/att_9": TASK})
    lost = Lost(attempt_id="att_9", assignment=assignment(at(Role.FIRST_FRAME)), started_at=START)
    found = await provider.find(lost)
    assert isinstance(found, Pending)
    assert (found.upstream_id, found.running) == ("image2video:77", False)


async def test_picture_is_a_task_as_well():
    done = {
        "task_id": "77",
        "task_status": "succeed",
        "task_result": {"images": [{"index": 0, "url": "https://x.example/a.png"}]},
    }
    provider, _, _ = kling(
        {
            "/v1/images/generations": TASK,
            "/v1/images/generations/77": {"code": 0, "data": done},
        }
    )
    asked = assignment(kind=Kind.IMAGE, model="kling-v2-1", ratio="21:9", resolution="2k")
    started = await provider.start(asked, attempt_id="a")
    assert isinstance(started, Pending)
    finished = await provider.check(started.upstream_id)
    assert isinstance(finished, Finished)
    assert [file.url for file in finished.outputs] == ["https://x.example/a.png"]
    assert finished.usage == {"images": 1}


REFERENCE = at(Role.REFERENCE_IMAGE)


@pytest.mark.parametrize(
    "asked",
    [
        assignment(model="kling-v3", duration=15, resolution="1080p", ratio="1:1", audio=True),
        assignment(at(Role.FIRST_FRAME), at(Role.LAST_FRAME), ratio="16:9", audio=False),
        assignment(REFERENCE, REFERENCE, model="kling-v1-6", duration=10, audio=False),
        assignment(at(Role.FIRST_FRAME), at(Role.MOTION_VIDEO, "video/mp4"), ratio="16:9"),
        assignment(at(Role.FIRST_FRAME), REFERENCE, model="kling-v3-omni", ratio="16:9"),
        assignment(REFERENCE, at(Role.REFERENCE_VIDEO, "video/mp4"), model="kling-video-o1"),
        assignment(REFERENCE, kind=Kind.IMAGE, model="kling-v2-1", ratio="21:9", resolution="2k"),
        assignment(at(Role.SOURCE_IMAGE), at(Role.GARMENT), kind=Kind.IMAGE, wardrobe_part="upper"),
    ],
    ids=[
        "text",
        "frames",
        "references",
        "motion",
        "omni frame",
        "omni video",
        "picture",
        "garment",
    ],
)
async def test_every_kind_of_task_is_taken_and_read_under_its_path(asked):
    emulator = KlingEmulator(clock=FakeClock())
    await emulator.start()
    listed = frozenset({("127.0.0.1", emulator.port)})
    upstream = UpstreamClient(emulator.base_url, private_hosts=listed)
    provider = Kling(Credential(name="main", base_url=emulator.base_url, secret=SECRET), upstream)
    try:
        started = await provider.start(asked, attempt_id="att_1")
        assert isinstance(started, Pending)
        lost = Lost(attempt_id="att_1", assignment=asked, started_at=START)
        assert isinstance(await provider.check(started.upstream_id), Finished)
        assert isinstance(await provider.find(lost), Finished)
    finally:
        await provider.close()
        await emulator.stop()


async def test_emulator_refuses_the_same_id_of_ours_twice():
    emulator = KlingEmulator(clock=FakeClock())
    await emulator.start()
    listed = frozenset({("127.0.0.1", emulator.port)})
    upstream = UpstreamClient(emulator.base_url, private_hosts=listed)
    body = {"prompt": "sea", "external_task_id": "att_1"}
    headers = {"Authorization": "Bearer k"}
    call = Call(method="POST", path="/v1/videos/text2video", body=body, headers=headers)
    try:
        statuses = [(await upstream.send(call)).status for _ in range(2)]
    finally:
        await upstream.close()
        await emulator.stop()
    assert statuses == [200, 400]
    assert emulator.begun == 1
