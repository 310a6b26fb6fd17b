"""What is special about APIXO: its envelope, the model in every path, results inside a string."""

from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode
from portico.core.jobs import Role, RouteClass
from portico.core.upstreams import Trouble, UpstreamError
from portico.providers.apixo import Apixo
from portico.providers.base import Finished, InputFile, Missing, Pending
from tests.unit.providers.scripted import job, linked, refusal, wired

TAKEN = {"code": 200, "message": "success", "data": {"taskId": "task_1"}}


def status(**task: Any) -> dict[str, Any]:
    return {"code": 200, "message": "success", "data": {"taskId": "task_1", **task}}


async def body_of(*inputs: InputFile, **given: Any) -> Any:
    provider, upstream = wired(Apixo, TAKEN)
    await provider.start(job("wan-2-5", *inputs, **given), attempt_id="a")
    return upstream.body


async def test_text_to_video_is_asked_as_the_page_asks_it():
    params = {
        "resolution": "1080p",
        "duration": 10,
        "ratio": "16:9",
        "negative_prompt": "low quality, blurry",
        "prompt_expansion": True,
    }
    assert await body_of(route_class=RouteClass.VALUE, **params) == {
        "request_type": "async",
        "provider": "value",
        "input": {
            "mode": "text-to-video",
            "prompt": "sea",
            "resolution": "1080p",
            "duration": 10,
            "aspect_ratio": "16:9",
            "negative_prompt": "low quality, blurry",
            "enable_prompt_expansion": True,
        },
    }


async def test_image_to_video_follows_the_picture_and_calls_back():
    body = await body_of(
        linked(Role.FIRST_FRAME),
        ratio="16:9",
        seed=42,
        prompt_expansion=False,
        callback_url="https://p.example/c",
    )
    assert (body["request_type"], body["callback_url"]) == ("callback", "https://p.example/c")
    assert body["input"] == {
        "mode": "image-to-video",
        "prompt": "sea",
        "image_urls": ["https://a.example/a.png"],
        "seed": 42,
        "enable_prompt_expansion": False,
    }


@pytest.mark.parametrize(("model", "shown"), [("wan-2-5", "task_1"), ("other", "other:task_1")])
async def test_task_is_read_under_its_own_model(model, shown):
    provider, upstream = wired(Apixo, TAKEN, status(state="processing"))
    started = await provider.start(job(model), attempt_id="a")
    assert started.upstream_id == shown
    assert isinstance(await provider.check(shown), Pending)
    assert upstream.calls[0].path == f"/generateTask/{model}"
    assert upstream.calls[1].path == f"/statusTask/{model}"
    assert upstream.calls[1].query == (("taskId", "task_1"),)


@pytest.mark.parametrize(
    ("code", "message", "trouble"),
    [
        (400, "Insufficient credits", Trouble.CREDIT),
        (402, "Payment required", Trouble.CREDIT),
        (400, "Invalid parameters", Trouble.REQUEST),
        (401, "Invalid or missing API Key", Trouble.CREDENTIAL),
        (404, "Model not found", Trouble.MODEL),
        (429, "Rate limit exceeded", Trouble.BUSY),
        (500, "Internal", Trouble.AMBIGUOUS),
        (503, "Unavailable", Trouble.BUSY),
    ],
)
@pytest.mark.parametrize("is_inside", [False, True])
async def test_envelope_counts_whatever_the_http_status_is(code, message, trouble, is_inside):
    envelope = {"code": code, "message": message, "data": None}
    provider, _ = wired(Apixo, refusal(200 if is_inside else code, envelope))
    with pytest.raises(UpstreamError) as caught:
        await provider.start(job("wan-2-5"), attempt_id="a")
    assert caught.value.trouble is trouble


async def test_error_inside_a_good_answer_to_a_question_ends_nothing():
    provider, _ = wired(Apixo, {"code": 404, "message": "Task not found", "data": None})
    assert isinstance(await provider.check("task_1"), Missing)
    provider, _ = wired(Apixo, {"code": 401, "message": "no", "data": None})
    with pytest.raises(UpstreamError) as caught:
        await provider.check("task_1")
    assert caught.value.code is ErrorCode.OVERLOADED


@pytest.mark.parametrize(
    ("fail_code", "code"),
    [
        ("CONTENT_VIOLATION", ErrorCode.CONTENT_REFUSED),
        ("INVALID_IMAGE_URL", ErrorCode.MEDIA_REJECTED),
        ("INSUFFICIENT_CREDITS", ErrorCode.UPSTREAM_FAILED),
        (["x"], ErrorCode.UPSTREAM_FAILED),
    ],
)
async def test_failed_task_says_why_in_our_words(fail_code, code):
    provider, _ = wired(Apixo, status(state="failed", failCode=fail_code, failMsg="secret"))
    with pytest.raises(UpstreamError) as caught:
        await provider.check("task_1")
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("inside", "urls"),
    [
        ('{"resultUrls":["https://r.example/v.mp4"]}', ["https://r.example/v.mp4"]),
        (
            '{"resultUrls":["file:///etc/passwd", 7, "https://r.example/v"]}',
            ["https://r.example/v"],
        ),
        ('{"resultUrls":"https://r.example/v"}', []),
        ("no json", []),
        ("[" * 100_000, []),
        (7, []),
    ],
    ids=range(6),
)
async def test_only_addresses_are_read_out_of_the_string(inside, urls):
    provider, _ = wired(Apixo, status(state="success", resultJson=inside))
    finished = await provider.check("task_1")
    assert isinstance(finished, Finished)
    assert [output.url for output in finished.outputs] == urls


async def test_callback_names_the_task():
    body = msgspec.json.encode(status(state="success"))
    assert wired(Apixo, TAKEN)[0].parse_callback(body) == "task_1"
