"""What is special about OpenAI's wire: sizes, places of a URL, other words, options."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Kind, MediaJob, Message, Mode
from portico.core.upstreams import Call, Reply, UpstreamError
from portico.providers.base import Assignment, Credential, Finished, Pending
from portico.providers.http import NAMES_MAX
from portico.providers.openai_like import OpenAiLike


class ScriptedUpstream:
    """Answers one JSON value under one set of headers, and remembers the calls."""

    def __init__(self, answer: object, **headers: str) -> None:
        self.answer = answer
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.calls: list[Call] = []

    async def send(self, call: Call) -> Reply:
        self.calls.append(call)
        return Reply(status=200, body=msgspec.json.encode(self.answer), headers=self.headers)

    async def listen(self, call: Call):
        self.calls.append(call)
        yield msgspec.json.encode(self.answer)


def provider(answer: object, options: dict[str, str] | None = None, **headers: str) -> Any:
    upstream: Any = ScriptedUpstream(answer, **headers)
    credential = Credential(name="main", base_url="", secret="k", options=options or {})
    return OpenAiLike(credential, upstream), upstream


def assignment(kind: Kind = Kind.VIDEO, **params: Any) -> Assignment:
    job = MediaJob(offering="o", model="m", kind=kind, mode=Mode.TEXT, prompt="sea", params=params)
    return Assignment(job=job, stage="generate", model="v", inputs=(), folder=Path())


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({"resolution": "720p", "ratio": "16:9"}, {"size": "1280x720"}),
        ({"resolution": "720p", "ratio": "9:16"}, {"size": "720x1280"}),
        ({"resolution": "480p", "ratio": "1:1"}, {"size": "480x480"}),
        ({"resolution": "1080p", "ratio": "21:9"}, {"size": "2520x1080"}),
        ({"size": "1x1", "resolution": "720p"}, {"size": "1x1"}),
        ({"resolution": "720p", "ratio": "adaptive"}, {"ratio": "adaptive"}),
        ({"ratio": "1:1"}, {"ratio": "1:1"}),
        ({"duration": 5}, {"seconds": "5"}),
        ({"seed": 7, "audio": True}, {"seed": "7", "audio": "true"}),
    ],
)
async def test_form_says_what_is_asked(params, sent):
    openai, upstream = provider({"id": "video_1"})
    await openai.start(assignment(**params), attempt_id="a")
    fields = {part.name: part.text for part in upstream.calls[0].parts}
    assert fields == {"prompt": "sea", "model": "v"} | sent


@pytest.mark.parametrize(
    ("ratio", "size"),
    [("1:1", "1024x1024"), ("3:2", "1536x1024"), ("9:16", "1024x1536"), ("adaptive", "auto")],
)
async def test_picture_has_a_size_its_models_make(ratio, size):
    openai, upstream = provider({"data": [{"url": "https://x.example/a.png"}]})
    await openai.start(assignment(Kind.IMAGE, ratio=ratio), attempt_id="a")
    assert upstream.calls[0].body["size"] == size


@pytest.mark.parametrize(
    "place",
    [
        {"metadata": {"url": "https://x.example/v.mp4"}},
        {"data": {"result_url": "https://x.example/v.mp4"}},
        {"data": {"url": "https://x.example/v.mp4"}},
        {"video_url": "https://x.example/v.mp4"},
        {"url": "https://x.example/v.mp4"},
    ],
)
async def test_url_is_found_where_relays_put_it(place):
    openai, _ = provider({"id": "video_1", "status": "completed"} | place)
    finished = await openai.check("video_1")
    assert finished.outputs[0].url == "https://x.example/v.mp4"


async def test_video_without_a_url_is_fetched_with_our_key():
    openai, _ = provider({"id": "video_1", "status": "completed", "url": "file:///etc/passwd"})
    (output,) = (await openai.check("video_1")).outputs
    assert output.url is None
    assert output.save is not None


@pytest.mark.parametrize("word", ["SUCCESS", "succeeded", "completed"])
async def test_words_of_relays_are_known(word):
    openai, _ = provider({"status": word})
    assert isinstance(await openai.check("video_1"), Finished)


@pytest.mark.parametrize(
    ("header", "after_s"),
    [("2000", 2.0), ("1", 0.5), ("9999999", 60.0), ("soon", 5.0), ("-1", 5.0), ("0", 5.0)],
)
async def test_upstream_says_when_to_ask_again_within_reason(header, after_s):
    openai, _ = provider({"status": "queued"}, openai_poll_after_ms=header)
    assert (await openai.check("video_1")).check_after_s == after_s


@pytest.mark.parametrize(
    ("told", "progress"), [(50, 0.5), (0, 0.0), (900, 1.0), (-5, None), ("x", None)]
)
async def test_progress_is_a_share(told, progress):
    openai, _ = provider({"status": "in_progress", "progress": told})
    pending = await openai.check("video_1")
    assert isinstance(pending, Pending)
    assert pending.progress == progress


async def test_key_of_the_attempt_goes_with_every_start():
    openai, upstream = provider({"id": "video_1"})
    await openai.start(assignment(), attempt_id="att_9")
    assert upstream.calls[0].headers["Idempotency-Key"] == "att_9"


async def test_limit_of_a_text_goes_under_the_name_its_upstream_knows():
    event = {"choices": [{"delta": {"content": "hi"}, "finish_reason": "stop"}]}
    openai, upstream = provider(event, {"max_tokens_field": "max_completion_tokens"})
    job = ChatJob(offering="o", model="m", messages=(Message("user", "x"),), max_tokens=9)
    assert [piece.text async for piece in openai.stream(job, model="m")] == ["hi", ""]
    assert upstream.calls[0].body["max_completion_tokens"] == 9
    assert "max_tokens" not in upstream.calls[0].body


@pytest.mark.parametrize("event", [[], 7, None, {"error": {"code": "x"}}])
async def test_event_without_sense_ends_a_text(event):
    openai, _ = provider(event)
    job = ChatJob(offering="o", model="m", messages=(Message("user", "x"),), max_tokens=9)
    with pytest.raises(UpstreamError):
        await anext(openai.stream(job, model="m"))


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"choices": 7},
        {"choices": [7]},
        {"choices": [{"delta": 7}]},
        {"choices": [{"delta": {"content": 7}, "finish_reason": 7}], "usage": [1]},
    ],
)
async def test_event_with_strange_values_says_nothing(event):
    openai, _ = provider(event)
    job = ChatJob(offering="o", model="m", messages=(Message("user", "x"),), max_tokens=9)
    with pytest.raises(UpstreamError) as caught:  # it never says that it is done
        await anext(openai.stream(job, model="m"))
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED


@pytest.mark.parametrize("inside", ["%%%", "aGk", "aGk=" * 100])
async def test_picture_that_is_no_base64_or_too_large_is_not_saved(tmp_path, inside):
    openai, _ = provider({"data": [{"b64_json": inside}]})
    finished = await openai.start(assignment(Kind.IMAGE), attempt_id="a")
    to = tmp_path / "made"
    with pytest.raises(PorticoError):
        await finished.outputs[0].save(to, 10)
    assert not to.exists()


@pytest.mark.parametrize(
    ("answer", "models"),
    [
        (
            {"data": [{"id": "gpt-4o"}, {"id": "a/b:free"}, {"id": "gpt-4o"}]},
            {"gpt-4o", "a/b:free"},
        ),
        ({"data": [{"id": 5}, {"id": ""}, {"id": "x\n"}, {"id": "x" * 201}, "m", None, {}]}, set()),
        ({"data": []}, set()),
        ({"data": {"id": "gpt-4o"}}, None),
        ({"models": []}, None),
    ],
)
async def test_list_of_models_holds_names_only(answer, models):
    openai, upstream = provider(answer)
    assert await openai.models() == models
    assert (upstream.calls[0].method, upstream.calls[0].path) == ("GET", "/models")


async def test_list_of_models_has_an_end():
    openai, _ = provider({"data": [{"id": f"m-{number}"} for number in range(NAMES_MAX + 5)]})
    assert len(await openai.models()) == NAMES_MAX
