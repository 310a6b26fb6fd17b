"""The scripted upstream says its lines and remembers what it was asked."""

from pathlib import Path

import pytest

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Chunk, Kind, MediaJob, Message, Mode
from portico.providers.base import (
    Assignment,
    ChatProvider,
    Finished,
    Missing,
    Pending,
    TaskProvider,
)
from portico.testing import FakeProvider

ASSIGNMENT = Assignment(
    job=MediaJob(offering="o", model="m", kind=Kind.IMAGE, mode=Mode.TEXT),
    stage="generate",
    model="up",
    inputs=(),
    folder=Path(),
)
CHAT = ChatJob(offering="o", model="m", messages=(Message("user", "hi"),), max_tokens=5)


def test_fake_fits_both_protocols():
    as_tasks: TaskProvider = FakeProvider()
    as_chat: ChatProvider = FakeProvider()
    assert as_tasks.name == "fake"
    assert callable(as_chat.stream)


async def test_answers_come_in_order_and_the_last_one_stays():
    done = Finished(outputs=())
    fake = FakeProvider([Pending("up_1"), Missing(), done])
    assert await fake.start(ASSIGNMENT, attempt_id="att_1") == Pending("up_1")
    assert await fake.check("up_1") == Missing()
    assert await fake.check("up_1") is done
    assert await fake.check("up_1") is done
    assert fake.started == [("att_1", ASSIGNMENT)]
    assert fake.checked == ["up_1"] * 3


async def test_scripted_error_is_raised():
    fake = FakeProvider([PorticoError(ErrorCode.OVERLOADED, "busy"), Pending("up_1")])
    with pytest.raises(PorticoError):
        await fake.start(ASSIGNMENT, attempt_id="att_1")
    assert await fake.start(ASSIGNMENT, attempt_id="att_1") == Pending("up_1")


async def test_script_that_cannot_be_played_fails_the_test():
    with pytest.raises(AssertionError):
        await FakeProvider().check("up_1")
    with pytest.raises(AssertionError):
        await FakeProvider([Missing()]).start(ASSIGNMENT, attempt_id="att_1")


async def test_text_comes_in_pieces_until_an_error_cuts_it():
    fake = FakeProvider(pieces=[Chunk("a"), Chunk("b"), PorticoError(ErrorCode.INTERNAL, "cut")])
    pieces = fake.stream(CHAT, model="up")
    assert [(await anext(pieces)).text, (await anext(pieces)).text] == ["a", "b"]
    with pytest.raises(PorticoError):
        await anext(pieces)
    assert fake.streamed == [CHAT]


async def test_cancel_and_close_are_remembered():
    fake = FakeProvider()
    await fake.cancel("up_1")
    await fake.close()
    assert (fake.cancelled, fake.closed) == (["up_1"], True)
