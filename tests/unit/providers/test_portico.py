"""What is special about another Portico: keys that find a lost start, results behind our key."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from portico.core.errors import ErrorCode
from portico.core.jobs import Kind, Role, RouteClass
from portico.core.upstreams import Trouble, UpstreamError
from portico.core.views import TaskState
from portico.dialects.portico.errors import STATUS
from portico.dialects.portico.wire import Submit
from portico.providers.base import Finished, InputFile, Lost, Pending, Remaining
from portico.providers.portico import STATES, Portico
from portico.testing import START
from tests.unit.providers.scripted import job, linked, refusal, wired


def task(**fields: Any) -> dict[str, Any]:
    return {"id": "7", "state": "queued", "outputs": [], "error": None, "usage": {}, **fields}


TAKEN = {"task": task(), "balance": "1"}
MADE = task(
    state="succeeded",
    outputs=[{"url": "https://p.example/files/x"}],
    usage={"images": 1},
    charged="5.25",
)


async def body_of(*inputs: InputFile, **given: Any) -> Any:
    provider, upstream = wired(Portico, TAKEN)
    await provider.start(job("seedance-2.0", *inputs, **given), attempt_id="att_1")
    return upstream.calls[-1]


async def test_job_is_asked_in_words_that_the_dialect_knows():
    call = await body_of(
        linked(Role.FIRST_FRAME),
        duration=5,
        audio=False,
        route_class=RouteClass.OFFICIAL,
        callback_url="https://p.example/c",
    )
    read = msgspec.convert(call.body, Submit, strict=True)
    assert (read.model, read.prompt, read.route) == ("seedance-2.0", "sea", "official")
    assert read.params == {"duration": 5, "audio": False}
    assert (read.inputs[0].role, read.inputs[0].url) == ("first_frame", "https://a.example/a.png")
    assert read.callback_url == "https://p.example/c"
    assert call.path == "/portico/v1/tasks"
    assert call.headers["Idempotency-Key"] == "att_1"


async def test_picture_is_waited_for():
    provider, upstream = wired(Portico, {"task": MADE, "balance": "1"})
    finished = await provider.start(job("seedream-4.5", kind=Kind.IMAGE), attempt_id="a")
    assert isinstance(finished, Finished)
    assert dict(finished.usage) == {"images": 1, "credits": 5.25}
    assert upstream.calls[0].path == "/portico/v1/tasks?wait=60"


async def test_picture_that_takes_longer_is_polled():
    provider, _ = wired(Portico, TAKEN)
    started = await provider.start(job("seedream-4.5", kind=Kind.IMAGE), attempt_id="a")
    assert isinstance(started, Pending)


async def test_result_is_fetched_with_our_key_whatever_its_link_says(tmp_path: Path):
    provider, upstream = wired(Portico, MADE)
    finished = await provider.check("7")
    await finished.outputs[0].save(tmp_path / "x", 9)
    assert upstream.calls[-1].path == "/portico/v1/tasks/7/download"
    assert upstream.calls[-1].headers["Authorization"] == "Bearer k"


async def test_lost_start_is_repeated_under_its_key():
    provider, upstream = wired(Portico, refusal(500, {}), TAKEN)
    asked = job("seedance-2.0")
    with pytest.raises(UpstreamError) as caught:
        await provider.start(asked, attempt_id="att_1")
    assert caught.value.trouble is Trouble.AMBIGUOUS
    lost = Lost(attempt_id="att_1", assignment=asked, started_at=START)
    assert (await provider.find(lost)).upstream_id == "7"
    assert [call.headers["Idempotency-Key"] for call in upstream.calls] == ["att_1"] * 2
    assert upstream.calls[0].body == upstream.calls[1].body


@pytest.mark.parametrize("status", [409, 500])
async def test_start_that_is_still_under_way_is_looked_up_later(status):
    provider, _ = wired(Portico, refusal(status, {"error": {"code": "idempotency_conflict"}}))
    lost = Lost(attempt_id="att_1", assignment=job("m"), started_at=START)
    with pytest.raises(UpstreamError) as caught:
        await provider.find(lost)
    assert caught.value.code is ErrorCode.OVERLOADED


UNCLEAR = {
    ErrorCode.INTERNAL,
    ErrorCode.UPSTREAM_FAILED,
    ErrorCode.UPSTREAM_TIMEOUT,
    ErrorCode.IDEMPOTENCY_CONFLICT,
    ErrorCode.CANCELLED,
    ErrorCode.RESULT_NOT_READY,
}


@pytest.mark.parametrize("code", ErrorCode)
async def test_every_code_of_the_dialect_is_understood(code):
    provider, _ = wired(Portico, refusal(STATUS[code], {"error": {"code": code}}))
    with pytest.raises(UpstreamError) as caught:
        await provider.start(job("m"), attempt_id="a")
    assert (caught.value.trouble is Trouble.AMBIGUOUS) is (code in UNCLEAR)


@pytest.mark.parametrize(
    ("code", "trouble"),
    [
        ("insufficient_credits", Trouble.CREDIT),
        ("concurrency_limited", Trouble.BUSY),
        ("no_route", Trouble.MODEL),
        ("media_unreachable", Trouble.MEDIA),
    ],
)
async def test_code_counts_more_than_the_status(code, trouble):
    provider, _ = wired(Portico, refusal(500, {"error": {"code": code}}))
    with pytest.raises(UpstreamError) as caught:
        await provider.start(job("m"), attempt_id="a")
    assert caught.value.trouble is trouble


@pytest.mark.parametrize("state", ["failed", "cancelled", "expired"])
async def test_ended_task_says_why_in_our_words(state):
    shown = task(state=state, error={"code": "content_refused", "message": "secret"})
    with pytest.raises(UpstreamError) as caught:
        await wired(Portico, shown)[0].check("7")
    assert caught.value.code is ErrorCode.CONTENT_REFUSED


async def test_success_without_a_result_is_a_failure():
    with pytest.raises(UpstreamError) as caught:
        await wired(Portico, task(state="succeeded"))[0].check("7")
    assert caught.value.trouble is Trouble.FAILED


def test_every_state_of_a_task_has_a_meaning():
    assert STATES.keys() == {state.value for state in TaskState}


async def test_balance_is_what_is_not_held():
    provider, upstream = wired(Portico, {"available": "12.345678", "held": "1"})
    assert await provider.balance() == Remaining(12_345_678, "credits")
    assert upstream.calls[0].path == "/portico/v1/balance"
