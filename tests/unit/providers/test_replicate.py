"""What is special about Replicate: three kinds of names, files, outputs, lost predictions."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, Mode, Role
from portico.core.upstreams import Call, Reply, UpstreamError
from portico.providers.base import (
    Assignment,
    Credential,
    Finished,
    InputFile,
    Lost,
    Missing,
    Pending,
)
from portico.providers.replicate import CAN, LIST_PAGES_MAX, Replicate, seed_of
from portico.testing import START

SEEDANCE = "bytedance/seedance-1-pro"
VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
AT_START = "2027-01-15T08:00:00.5Z"
LONG_AGO = "2020-01-01T00:00:00Z"


class ScriptedUpstream:
    """Answers JSON from a script, the last one again and again, and remembers the calls."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers) or [(201, {"id": "p1"})]
        self.calls: list[Call] = []

    async def send(self, call: Call) -> Reply:
        self.calls.append(call)
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return Reply(status=status, body=msgspec.json.encode(body))


def replicate(*answers: tuple[int, object]) -> tuple[Replicate, Any]:
    upstream: Any = ScriptedUpstream(*answers)
    return Replicate(Credential(name="main", base_url="", secret="k"), upstream), upstream


def assignment(
    *inputs: InputFile, model: str = SEEDANCE, kind: Kind = Kind.VIDEO, **params: Any
) -> Assignment:
    job = MediaJob(offering="o", model="m", kind=kind, mode=Mode.TEXT, prompt="sea", params=params)
    return Assignment(job=job, stage="generate", model=model, inputs=inputs, folder=Path())


def picture(role: Role) -> InputFile:
    return InputFile(role, "image/png", Path(), url="https://a.example/a.png")


async def sent(*inputs: InputFile, **given: Any) -> Any:
    provider, upstream = replicate()
    await provider.start(assignment(*inputs, **given), attempt_id="a")
    return upstream.calls[-1]


@pytest.mark.parametrize(
    ("model", "path", "body"),
    [
        ("a/b", "/models/a/b/predictions", {}),
        (f"a/b:{VERSION}", "/predictions", {"version": VERSION}),
        (VERSION, "/predictions", {"version": VERSION}),
        ("deployments/a/b", "/deployments/a/b/predictions", {}),
    ],
)
async def test_name_says_where_a_prediction_is_created(model, path, body):
    call = await sent(model=model)
    assert (call.path, call.body) == (path, {**body, "input": {"prompt": "sea"}})
    assert "prefer" not in {name.lower() for name in call.headers}


async def test_callback_is_asked_for_at_the_end_only():
    provider, upstream = replicate()
    asked = msgspec.structs.replace(assignment(), callback_url="https://p.example/back")
    await provider.start(asked, attempt_id="a")
    body = upstream.calls[0].body
    assert (body["webhook"], body["webhook_events_filter"]) == (
        "https://p.example/back",
        ["completed"],
    )


async def test_file_too_large_for_a_request_is_uploaded(tmp_path):
    path = tmp_path / "input"
    path.write_bytes(b"x" * (CAN.data_bytes_max + 1))
    address = "https://api.replicate.com/v1/files/f1"
    provider, upstream = replicate((201, {"urls": {"get": address}}), (201, {"id": "p1"}))
    frame = InputFile(Role.FIRST_FRAME, "image/png", path, link="https://p.example/a")
    await provider.start(assignment(frame), attempt_id="a")
    upload, start = upstream.calls
    assert (upload.path, upload.once, upload.parts[0].name) == ("/files", False, "content")
    assert start.body["input"]["image"] == address


@pytest.mark.parametrize("answer", [(500, {}), (201, {}), (413, {}), (201, {"urls": {"get": 7}})])
async def test_upload_that_fails_has_begun_nothing(tmp_path, answer):
    path = tmp_path / "input"
    path.write_bytes(b"x" * (CAN.data_bytes_max + 1))
    provider, upstream = replicate(answer)
    frame = InputFile(Role.FIRST_FRAME, "image/png", path)
    with pytest.raises(UpstreamError) as caught:
        await provider.start(assignment(frame), attempt_id="a")
    assert caught.value.code is ErrorCode.OVERLOADED
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(
    ("output", "urls", "usage"),
    [
        ("https://x/a.mp4", ["https://x/a.mp4"], {}),
        (
            ["https://x/a.png", "https://x/b.webp?c=1"],
            ["https://x/a.png", "https://x/b.webp?c=1"],
            {"images": 2},
        ),
        ({"video": "https://x/a.mp4", "thumbnail": "https://x/a.png"}, ["https://x/a.mp4"], {}),
        ({"images": ["https://x/a.jpg"]}, ["https://x/a.jpg"], {"images": 1}),
        ("file:///etc/passwd", [], {}),
        ([[[[[["https://x/a.png"]]]]]], [], {}),
        (None, [], {}),
        (7, [], {}),
    ],
)
async def test_output_is_a_text_a_list_or_an_object(output, urls, usage):
    done = {"status": "succeeded", "output": output, "metrics": {"predict_time": 2.5}}
    provider, _ = replicate((200, done))
    finished = await provider.check("p1")
    assert isinstance(finished, Finished)
    assert [each.url for each in finished.outputs] == urls
    assert finished.usage == {"compute_seconds": 2.5, **usage}


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        ("failed", "NSFW content detected. Try another.", ErrorCode.CONTENT_REFUSED),
        ("failed", "The input was flagged as sensitive. (E005)", ErrorCode.CONTENT_REFUSED),
        ("failed", "Invalid input (E006)", ErrorCode.INVALID_REQUEST),
        ("failed", "CUDA out of memory", ErrorCode.UPSTREAM_FAILED),
        ("aborted", None, ErrorCode.UPSTREAM_FAILED),
        ("canceled", {"strange": 1}, ErrorCode.UPSTREAM_FAILED),
    ],
)
async def test_failure_is_read_from_the_words_of_its_error(status, error, code):
    provider, _ = replicate((200, {"status": status, "error": error}))
    with pytest.raises(UpstreamError) as caught:
        await provider.check("p1")
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("model", "given", "asked"),
    [
        (
            "bytedance/seedance-1.5-pro",
            {"resolution": "720p", "audio": True},
            {"generate_audio": True},
        ),
        (
            SEEDANCE,
            {"resolution": "480p", "lock_camera": True, "audio": False},
            {"resolution": "480p", "camera_fixed": True},
        ),
        ("bytedance/seedance-2.0", {"ratio": "adaptive", "duration": 5}, {"duration": 5}),
        ("wan-video/wan-2.5", {"ratio": "9:16", "resolution": "720p"}, {"size": "720*1280"}),
        ("wan-video/wan-2.5", {"size": "1920x1080", "ratio": "16:9"}, {"size": "1920*1080"}),
        ("wan-video/wan-2.7-t2v", {"prompt_expansion": False}, {"enable_prompt_expansion": False}),
    ],
)
async def test_each_family_is_asked_in_its_words(model, given, asked):
    body = (await sent(model=model, **given)).body["input"]
    assert body == {"prompt": "sea", "seed": seed_of("a"), **asked}


async def test_frames_have_another_name_in_each_family():
    frame, last = picture(Role.FIRST_FRAME), picture(Role.LAST_FRAME)
    body = (await sent(frame, last, ratio="16:9", seed=7)).body["input"]
    assert {"image", "last_frame_image", "aspect_ratio"} < set(body)
    body = (await sent(frame, model="minimax/hailuo-02", ratio="16:9")).body["input"]
    assert body == {"prompt": "sea", "first_frame_image": "https://a.example/a.png"}
    call = await sent(frame, model="wan-video/wan-2.5", ratio="16:9", resolution="1080p")
    assert call.path == "/models/wan-video/wan-2.5-i2v/predictions"
    assert "aspect_ratio" not in call.body["input"]


async def test_pictures_to_change_go_as_a_list():
    files = [picture(Role.REFERENCE_IMAGE), picture(Role.REFERENCE_IMAGE)]
    call = await sent(*files, model="bytedance/seedream-4.5", kind=Kind.IMAGE, ratio="1:1")
    assert call.body["input"] == {
        "prompt": "sea",
        "aspect_ratio": "1:1",
        "image_input": ["https://a.example/a.png"] * 2,
    }


@pytest.mark.parametrize(
    ("model", "inputs", "given", "param"),
    [
        (SEEDANCE, (), {"audio": True}, "audio"),
        ("bytedance/seedance-1.5-pro", (), {"resolution": "1080p"}, "resolution"),
        ("minimax/hailuo-02", (), {"ratio": "16:9"}, "ratio"),
        ("wan-video/wan-2.5", (Role.FIRST_FRAME, Role.LAST_FRAME), {}, "mode"),
        ("a/b", (Role.REFERENCE_VIDEO,), {}, "reference_video"),
    ],
)
async def test_what_a_family_lacks_is_refused_before_anything_is_sent(model, inputs, given, param):
    provider, upstream = replicate()
    files = [picture(role) for role in inputs]
    with pytest.raises(PorticoError) as caught:
        await provider.start(assignment(*files, model=model, **given), attempt_id="a")
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_OPTION, param)
    assert upstream.calls == []


def listed(seed: object, *, at: object = AT_START, number: int = 1, **more: Any) -> dict[str, Any]:
    shown = {"id": f"p{number}", "status": "starting", "created_at": at}
    return shown | {"input": {"seed": seed}} | more


def page(*items: object, after: str | None = None) -> tuple[int, object]:
    address = f"https://api.replicate.com/v1/predictions?cursor={after}" if after else None
    return 200, {"results": list(items), "next": address}


async def find(*pages: tuple[int, object], **given: Any) -> tuple[Any, Any]:
    provider, upstream = replicate(*pages)
    lost = Lost(attempt_id="a", assignment=assignment(**given), started_at=START)
    return await provider.find(lost), upstream


async def test_lost_prediction_is_found_by_its_seed_on_a_later_page():
    found, upstream = await find(
        page(listed(1), after="c%3D2"), page(listed(seed_of("a"), number=9))
    )
    assert isinstance(found, Pending)
    assert found.upstream_id == "p9"
    assert [call.query for call in upstream.calls] == [(), (("cursor", "c=2"),)]


async def test_older_prediction_with_the_same_seed_is_another():
    found, upstream = await find(page(listed(seed_of("a"), at=LONG_AGO), after="2"))
    assert isinstance(found, Missing)
    assert len(upstream.calls) == 1


async def test_input_that_was_removed_leaves_it_open():
    removed = listed(None, data_removed=True) | {"input": {}}
    assert (await find(page(removed)))[0] is None
    found, _ = await find(page(removed, listed(seed_of("a"))))
    assert isinstance(found, Pending)


@pytest.mark.parametrize("given", [{"seed": 7}, {"model": "a/b"}])
async def test_prediction_without_our_seed_is_not_looked_for(given):
    found, upstream = await find(page(listed(7)), **given)
    assert (found, upstream.calls) == (None, [])


@pytest.mark.parametrize("answer", [{}, {"results": 7}, {"results": {"id": 1}}])
async def test_list_that_is_none_is_asked_for_again_later(answer):
    with pytest.raises(PorticoError) as caught:
        await find((200, answer))
    assert caught.value.code is ErrorCode.OVERLOADED


async def test_strange_items_of_a_list_are_passed_over():
    found, _ = await find(page(7, None, {}, listed("x"), listed(1, at="?")))
    assert isinstance(found, Missing)


async def test_our_seed_at_an_unknown_time_leaves_it_open():
    found, _ = await find(page(listed(seed_of("a"), at="?")))
    assert found is None


async def test_list_without_end_tells_nothing():
    found, upstream = await find(page(listed(1), after="2"))
    assert (found, len(upstream.calls)) == (None, LIST_PAGES_MAX)
