"""Reading what upstreams say: tables decide, numbers are numbers, ids are ids."""

import pytest

from portico.core.errors import ErrorCode, Fault
from portico.core.upstreams import Reply, Trouble, UpstreamError
from portico.providers import http
from portico.providers.http import Refusals, State

REFUSALS = Refusals(
    code_at=("error", "code"),
    codes={"*Sensitive*": Trouble.CONTENT, "Quota.Daily": Trouble.CREDIT, "Quota*": Trouble.BUSY},
)


def api() -> http.Api:
    return http.Api(None, headers={}, refusals=REFUSALS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        (400, {"error": {"code": "InputTextSensitiveContent"}}, Trouble.CONTENT),
        (429, {"error": {"code": "Quota.Daily"}}, Trouble.CREDIT),  # most special first
        (429, {"error": {"code": "Quota.Hourly"}}, Trouble.BUSY),
        (400, {"error": {"code": "Unheard"}}, Trouble.REQUEST),
        (401, {"error": "no"}, Trouble.CREDENTIAL),
        (402, None, Trouble.CREDIT),
        (403, [], Trouble.CREDENTIAL),
        (404, {}, Trouble.MODEL),
        (409, {}, Trouble.AMBIGUOUS),
        (418, {}, Trouble.REQUEST),
        (302, {}, Trouble.REQUEST),
        (429, {}, Trouble.BUSY),
        (500, {}, Trouble.AMBIGUOUS),
        (502, {}, Trouble.AMBIGUOUS),
        (503, {}, Trouble.BUSY),
        (504, {}, Trouble.AMBIGUOUS),
        (999, {}, Trouble.AMBIGUOUS),
    ],
)
def test_refusal_is_read_by_its_code_then_by_its_status(status, body, trouble):
    assert REFUSALS.of(status, body) is trouble


@pytest.mark.parametrize("trouble", Trouble)
def test_every_trouble_has_a_code_that_no_customer_takes_for_his_own(trouble):
    error = UpstreamError(trouble, status=1)
    assert error.code not in {
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.INSUFFICIENT_CREDITS,
        ErrorCode.NOT_ALLOWED,
        ErrorCode.RATE_LIMITED,
    }
    assert error.facts == {"trouble": trouble, "status": 1}


@pytest.mark.parametrize("trouble", Trouble)
def test_end_of_a_job_is_never_something_to_wait_for(trouble):
    assert UpstreamError(trouble).of_job().code not in {
        ErrorCode.OVERLOADED,
        ErrorCode.UPSTREAM_TIMEOUT,
    }


@pytest.mark.parametrize("trouble", Trouble)
def test_question_without_an_answer_is_always_worth_repeating(trouble):
    assert UpstreamError(trouble).of_read().code is ErrorCode.OVERLOADED


@pytest.mark.parametrize("trouble", [Trouble.CREDENTIAL, Trouble.CREDIT, Trouble.MODEL])
def test_operator_has_to_act_on_keys_balances_and_models(trouble):
    assert UpstreamError(trouble).fault is Fault.OPERATOR


def test_only_a_busy_upstream_is_waited_for_as_long_as_it_asks():
    busy = api().refused(Reply(status=429, retry_after_s=7.0))
    gone = api().refused(Reply(status=401, retry_after_s=7.0))
    assert (busy.retry_after_s, gone.retry_after_s) == (7.0, None)


@pytest.mark.parametrize("word", ["Pondering", None, 7, ["queued"], "a" * 500, "<b>\n"])
def test_unknown_state_goes_on(word):
    assert api().state({"queued": State.QUEUED}, word) is State.RUNNING


@pytest.mark.parametrize(
    "value", ["", "../x", "a/b", ".", "a b", "a\n", "a" * 201, None, 7, ["a"], "é", "%2e"]
)
def test_what_is_no_id_is_not_taken_for_one(value):
    with pytest.raises(UpstreamError) as caught:
        http.read_id(value)
    assert caught.value.trouble is Trouble.AMBIGUOUS


@pytest.mark.parametrize("value", ["cgt-20260101-abc", "video_1", "a.b:c~d=", "7"])
def test_id_is_taken_as_it_is(value):
    assert http.read_id(value) == value


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        (0, 0),
        (2.5, 2.5),
        ("5", 5),
        ("2.5", 2.5),
        (-1, None),
        ("-1", None),
        (True, None),
        (None, None),
        ([], None),
        ("five", None),
        ("", None),
        (2**60, None),
        ("9" * 5_000, None),
        (float("nan"), None),
        (float("inf"), None),
        ("nan", None),
        ("1e999", None),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_number_is_finite_and_not_negative_or_none(value, number):
    assert http.read_number(value) == number


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b"NaN", b'{"a":1}x'])
def test_what_is_no_json_is_nothing(body):
    assert http.read_json(body) is None


@pytest.mark.parametrize("value", ["", "file:///etc/passwd", "javascript:1", "//x", None, 7])
def test_what_is_no_url_is_not_tried(value):
    assert http.read_url(value) is None
