"""What is special about fal: an id of an app, two ways of failing, inputs of each model."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import Kind, MediaJob, Mode, Role
from portico.core.upstreams import Call, Reply, Trouble, UpstreamError
from portico.providers.base import Assignment, Credential, Finished, InputFile, Missing
from portico.providers.fal import Fal

SEEDANCE = "bytedance/seedance-2.0"
SEEDREAM = "fal-ai/bytedance/seedream/v4.5"
JOB = "bytedance:seedance-2.0:r-1"
DONE = {"status": "COMPLETED"}


class ScriptedUpstream:
    """Answers JSON with a status from a script, and remembers the calls."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers) or [(200, {"request_id": "r-1"})]
        self.calls: list[Call] = []

    async def send(self, call: Call) -> Reply:
        self.calls.append(call)
        status, body = self.answers.pop(0)
        return Reply(status=status, body=msgspec.json.encode(body))


def fal(*answers: tuple[int, object]) -> tuple[Any, Any]:
    upstream: Any = ScriptedUpstream(*answers)
    return Fal(Credential(name="main", base_url="", secret="a:b"), upstream), upstream


def picture(role: Role, number: int = 1) -> InputFile:
    return InputFile(role, "image/png", Path(), url=f"https://a.example/{number}.png")


def assignment(
    *inputs: InputFile, model: str = SEEDANCE, kind: Kind = Kind.VIDEO, **params: Any
) -> Assignment:
    job = MediaJob(offering="o", model="m", kind=kind, mode=Mode.TEXT, prompt="sea", params=params)
    return Assignment(job=job, stage="generate", model=model, inputs=inputs, folder=Path())


async def sent(*inputs: InputFile, **given: Any) -> tuple[str, Any]:
    provider, upstream = fal()
    await provider.start(assignment(*inputs, **given), attempt_id="a")
    return upstream.calls[0].path, upstream.calls[0].body


async def test_job_is_known_by_its_app_and_not_by_the_path_below():
    provider, upstream = fal((200, {"request_id": "r-1"}), (200, {"status": "IN_QUEUE"}))
    started = await provider.start(assignment(), attempt_id="a")
    assert started.upstream_id == JOB
    await provider.check(started.upstream_id)
    assert [call.path for call in upstream.calls] == [
        "/bytedance/seedance-2.0/text-to-video",
        "/bytedance/seedance-2.0/requests/r-1/status",
    ]
    assert upstream.calls[0].headers["Authorization"] == "Key a:b"


async def test_callback_address_goes_beside_the_input():
    provider, upstream = fal()
    asked = msgspec.structs.replace(assignment(), callback_url="https://p.example/back?x=1")
    await provider.start(asked, attempt_id="a")
    (call,) = upstream.calls
    assert call.query == (("fal_webhook", "https://p.example/back?x=1"),)
    assert "p.example" not in f"{call.body} {call!r}"


async def test_job_is_stopped_by_a_put():
    provider, upstream = fal((202, {"status": "CANCELLATION_REQUESTED"}))
    await provider.cancel(JOB)
    assert (upstream.calls[0].method, upstream.calls[0].path) == (
        "PUT",
        "/bytedance/seedance-2.0/requests/r-1/cancel",
    )


@pytest.mark.parametrize("wrong", ["r-1", "app:r-1", "owner:app:", ""])
async def test_id_that_names_no_app_is_missing_without_a_question(wrong):
    provider, upstream = fal()
    assert isinstance(await provider.check(wrong), Missing)
    await provider.cancel(wrong)
    assert upstream.calls == []


@pytest.mark.parametrize("model", ["seedance", "/x/y", "a/../b", "a/b?c=d", "a//b"])
async def test_name_that_is_no_owner_and_app_is_trouble_with_the_model(model):
    provider, upstream = fal()
    with pytest.raises(UpstreamError) as caught:
        await provider.start(assignment(model=model), attempt_id="a")
    assert caught.value.trouble is Trouble.MODEL
    assert upstream.calls == []


def typed(kind: str) -> dict[str, Any]:
    return {"detail": [{"loc": ["body", "prompt"], "msg": "secret", "type": kind}]}


@pytest.mark.parametrize(
    ("status", "result", "code"),
    [
        (DONE | {"error": "x", "error_type": "runner_disconnected"}, None, "upstream_failed"),
        (DONE | {"error": "x", "error_type": "content_policy_violation"}, None, "content_refused"),
        (DONE | {"error": "x"}, (422, typed("content_policy_violation")), "content_refused"),
        (DONE | {"error": "x"}, (200, {"video": {"url": "https://x"}}), "upstream_failed"),
        (DONE | {"error": "x"}, (404, {}), "upstream_failed"),
        (DONE, (422, typed("content_policy_violation")), "content_refused"),
        (DONE, (422, typed("file_download_error")), "media_rejected"),
        (DONE, (422, typed("image_too_small")), "media_rejected"),
        (DONE, (422, typed("missing")), "invalid_request"),
        (DONE, (422, {"detail": "secret"}), "invalid_request"),
        (DONE, (500, typed("internal_server_error")), "upstream_failed"),
        (DONE, (504, {"detail": "x", "error_type": "request_timeout"}), "upstream_failed"),
        (DONE, (503, {"detail": "x", "error_type": "runner_disconnected"}), "upstream_failed"),
    ],
)
async def test_failure_is_told_by_the_state_or_by_the_result(status, result, code):
    provider, _ = fal((200, status), *([result] if result else []))
    with pytest.raises(UpstreamError) as caught:
        await provider.check(JOB)
    assert caught.value.code is ErrorCode(code)
    assert "secret" not in str(caught.value.facts)


@pytest.mark.parametrize(
    "result", [(401, {"detail": "x"}), (429, {}), (500, {"detail": "x"}), (400, {"detail": "x"})]
)
async def test_result_that_cannot_be_read_now_is_asked_for_again(result):
    provider, _ = fal((200, DONE), result)
    with pytest.raises(UpstreamError) as caught:
        await provider.check(JOB)
    assert caught.value.code is ErrorCode.OVERLOADED


async def test_result_that_is_gone_is_missing():
    provider, _ = fal((200, DONE), (404, {"detail": "x"}))
    assert isinstance(await provider.check(JOB), Missing)


@pytest.mark.parametrize("told", [["runner_disconnected"], {"a": 1}, 7])
async def test_strange_type_of_an_error_is_a_failure_still(told):
    provider, _ = fal((200, DONE | {"error_type": told}), (200, {}))
    with pytest.raises(UpstreamError) as caught:
        await provider.check(JOB)
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED


@pytest.mark.parametrize(
    ("made", "urls", "usage"),
    [
        ({"video": {"url": "https://x/a.mp4"}}, ["https://x/a.mp4"], {}),
        (
            {"images": [{"url": "https://x/a"}, {"url": "https://x/b"}]},
            ["https://x/a", "https://x/b"],
            {"images": 2},
        ),
        ({"image": {"url": "https://x/a"}}, ["https://x/a"], {"images": 1}),
        ({"video": None}, [], {}),
    ],
)
async def test_results_are_found_wherever_a_model_puts_them(made, urls, usage):
    provider, _ = fal((200, DONE | {"metrics": {"inference_time": 1.5}}), (200, made))
    finished = await provider.check(JOB)
    assert isinstance(finished, Finished)
    assert [output.url for output in finished.outputs] == urls
    assert finished.usage == {"compute_seconds": 1.5, **usage}


async def test_locked_account_is_trouble_with_the_balance():
    provider, _ = fal((403, {"detail": "User is locked. Reason: Exhausted balance."}))
    with pytest.raises(UpstreamError) as caught:
        await provider.start(assignment(), attempt_id="a")
    assert caught.value.trouble is Trouble.CREDIT


async def test_inputs_choose_the_endpoint_of_a_family():
    frame, last = picture(Role.FIRST_FRAME, 1), picture(Role.LAST_FRAME, 2)
    path, body = await sent(frame, last, duration=5, ratio="adaptive", audio=False)
    assert path == f"/{SEEDANCE}/image-to-video"
    assert body == {
        "prompt": "sea",
        "duration": "5",
        "aspect_ratio": "auto",
        "generate_audio": False,
        "image_url": "https://a.example/1.png",
        "end_image_url": "https://a.example/2.png",
    }
    references = [picture(Role.REFERENCE_IMAGE, number) for number in (1, 2)]
    path, body = await sent(*references)
    assert path == f"/{SEEDANCE}/reference-to-video"
    assert body["image_urls"] == ["https://a.example/1.png", "https://a.example/2.png"]


async def test_endpoint_that_is_named_whole_stays():
    path, _ = await sent(model="bytedance/seedance-2.0/fast/text-to-video")
    assert path == "/bytedance/seedance-2.0/fast/text-to-video"


@pytest.mark.parametrize(
    ("model", "given", "body"),
    [
        (
            "fal-ai/bytedance/seedance/v1.5/pro",
            {"lock_camera": True, "audio": True},
            {"camera_fixed": True, "generate_audio": True},
        ),
        ("fal-ai/bytedance/seedance/v1/pro", {"duration": 5, "audio": False}, {"duration": "5"}),
        (
            "fal-ai/wan-25-preview",
            {"prompt_expansion": True, "negative_prompt": ""},
            {"enable_prompt_expansion": True},
        ),
        (
            "fal-ai/kling-video/v3/pro",
            {"duration": 10, "ratio": "1:1"},
            {"duration": "10", "aspect_ratio": "1:1"},
        ),
        (
            "fal-ai/veo3.1",
            {"duration": 8, "resolution": "1080p"},
            {"duration": "8s", "resolution": "1080p"},
        ),
        (
            "somebody/new",
            {"duration": 5, "ratio": "16:9"},
            {"duration": "5", "aspect_ratio": "16:9"},
        ),
    ],
)
async def test_each_family_is_asked_in_its_words(model, given, body):
    assert (await sent(model=model, **given))[1] == {"prompt": "sea", **body}


async def test_shape_is_left_out_where_the_first_frame_decides_it():
    frame = picture(Role.FIRST_FRAME)
    _, body = await sent(frame, model="fal-ai/kling-video/v3/pro", ratio="16:9")
    assert body == {"prompt": "sea", "start_image_url": "https://a.example/1.png"}


@pytest.mark.parametrize(
    ("params", "size"),
    [
        ({"ratio": "16:9"}, "landscape_16_9"),
        ({"ratio": "3:2"}, {"width": 2496, "height": 1664}),
        ({"size": "2048x1024"}, {"width": 2048, "height": 1024}),
        ({"ratio": "1:1", "size": "2048x1024"}, {"width": 2048, "height": 1024}),
        ({"ratio": "adaptive"}, None),
    ],
)
async def test_picture_has_a_size_by_word_or_by_sides(params, size):
    path, body = await sent(model=SEEDREAM, kind=Kind.IMAGE, **params)
    assert path == f"/{SEEDREAM}/text-to-image"
    assert body.get("image_size") == size
    assert body["num_images"] == 1


@pytest.mark.parametrize(
    ("model", "inputs", "given", "param"),
    [
        (SEEDANCE, (), {"lock_camera": True}, "lock_camera"),
        (SEEDANCE, (), {"negative_prompt": "rain"}, "negative_prompt"),
        ("fal-ai/bytedance/seedance/v1/pro", (), {"audio": True}, "audio"),
        ("fal-ai/wan-25-preview/image-to-video", (Role.LAST_FRAME,), {}, "last_frame"),
        ("somebody/new", (Role.FIRST_FRAME, Role.FIRST_FRAME), {}, None),
    ],
)
async def test_what_a_family_lacks_is_refused_before_anything_is_sent(model, inputs, given, param):
    provider, upstream = fal()
    files = [picture(role) for role in inputs]
    with pytest.raises(PorticoError) as caught:
        await provider.start(assignment(*files, model=model, **given), attempt_id="a")
    assert (caught.value.code, caught.value.param) == (ErrorCode.UNSUPPORTED_OPTION, param)
    assert upstream.calls == []
