"""`portico usage`: what was used, as a table and as JSON, on a real database."""

import asyncio

import pytest

from portico import accounts, ledger, tasks
from portico.app import open_desk
from portico.core.errors import ErrorCode
from portico.core.jobs import Kind
from portico.core.money import MICRO
from portico.core.usage import day_of, day_text
from portico.core.views import Caller, TaskState
from portico.settings import load
from portico.tasks import Verdict
from portico.testing import START, add_account, admit, new_task

pytestmark = pytest.mark.usefixtures("either")
DAY = day_text(day_of(START))
TOKENS = {"input_tokens": 40, "output_tokens": 2}


@pytest.fixture
def used(ann, data):
    """Ann had a video made and a text written; somebody else's video failed."""

    def write(tx):
        account = accounts.by_email(tx, ann)
        bob = add_account(tx, "bob", amount=9 * MICRO)
        key = accounts.NewKey("sk-ann", accounts.key_hash("sk-ann"), "sk-", "-ann")
        accounts.create_key(
            tx, key_id="key_ann", account_id=account.id, key=key, name="",
            limits=accounts.KeyLimits(), now=START,
        )  # fmt: skip
        caller = Caller(account.id, "key_ann", ann, "active")
        end(tx, new_task(1, caller, price=5 * MICRO), charged=5 * MICRO)
        end(tx, new_task(2, caller, kind=Kind.TEXT, model="echo"), charged=1, usage=TOKENS)
        end(tx, new_task(3, bob, price=3 * MICRO), charged=None)

    async def work():
        desk = await open_desk(load(None, data=str(data)))
        await desk.store.write(write)
        await desk.store.close()

    asyncio.run(work())


def end(tx, task, *, charged, usage=None):
    admit(tx, task)
    if charged is None:
        ledger.release(tx, task.id, at=START)
        verdict = Verdict(state=TaskState.FAILED, failure_code=ErrorCode.UPSTREAM_FAILED)
    else:
        ledger.capture(tx, task.id, amount=charged, at=START)
        verdict = Verdict(state=TaskState.SUCCEEDED, charged=charged, usage=usage or {})
    assert tasks.end(tx, task.id, verdict, now=START)


def test_json_holds_lines_and_their_total(portico, used):
    result = portico("usage", "--by", "model", "--json").result
    text = {"tasks": 1, "succeeded": 1, "failed": 0, "cancelled": 0, "expired": 0}
    assert result["lines"][0] == {
        "model": "echo", **text, "charged": "0.000001", "released": "0.999999", **TOKENS,
    }  # fmt: skip
    assert [line["model"] for line in result["lines"]] == ["echo", "sample"]
    assert result["total"] == {
        "tasks": 3, "succeeded": 2, "failed": 1, "cancelled": 0, "expired": 0,
        "charged": "5.000001", "released": "3.999999", **TOKENS,
    }  # fmt: skip


def test_table_has_a_line_a_day_and_a_total(portico, used):
    lines = portico("usage").out.splitlines()
    assert lines[0].split()[:4] == ["DAY", "TASKS", "SUCCEEDED", "FAILED"]
    assert [line.split()[:4] for line in lines[1:]] == [
        [DAY, "3", "2", "1"],
        ["total", "3", "2", "1"],
    ]


def test_one_account_is_told_from_the_others(portico, used, ann):
    result = portico("usage", "--account", ann, "--by", "key", "--json").result
    assert [(line["key"], line["tasks"]) for line in result["lines"]] == [("key_ann", 2)]


def test_days_are_those_asked_for(portico, used):
    assert portico("usage", "--since", DAY, "--until", DAY, "--json").result["total"]["tasks"] == 3
    assert portico("usage", "--since", "2027-01-16", "--json").result["lines"] == []
    assert portico("usage", "--until", "2027-01-14", "--json").result["lines"] == []


@pytest.mark.parametrize("day", ["yesterday", "2027-02-30", ""])
def test_day_that_is_none_is_one_line(portico, ann, day):
    ran = portico("usage", "--since", day)
    assert (ran.code, ran.err) == (1, f"portico: {day!r} is no day such as 2027-01-31\n")


def test_unknown_account_is_one_line(portico, ann):
    ran = portico("usage", "--account", "nobody@example.com")
    assert (ran.code, ran.err) == (1, "portico: No account with this e-mail\n")


def test_unknown_grouping_is_a_usage_error(portico, ann):
    ran = portico("usage", "--by", "colour")
    assert (ran.code, ran.out) == (2, "")
