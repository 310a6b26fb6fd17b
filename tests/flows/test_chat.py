"""Texts: the most is held, what was delivered is charged, however the stream ends."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from portico import tasks
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatUsage, Chunk
from portico.core.money import MICRO
from portico.core.views import TaskState
from portico.flows import chat, claim, lookup
from portico.flows.chat import ChatStream, complete, open_stream
from portico.flows.chat_answer import ChatAnswer
from portico.flows.submit import Repeat, Terms
from portico.testing import let_run
from tests.flows.wiring import CREDITS, FailingStore, chat_ask

USAGE = ChatUsage(input_tokens=10, output_tokens=5)
WHOLE = (Chunk(text="One"), Chunk(text=" two"), Chunk(finish="stop", usage=USAGE))
COST = 15  # microcredits: one a million LLM tokens, each way
REPEAT = Repeat("chat", "key-1", "digest")
BROKEN = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")


class Gate:
    """Holds an upstream up until a test lets it go on; stands among the pieces of a text."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.reached = asyncio.Event()


class Gated:
    """An upstream that waits at gates, and notes whether it was stopped."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces = pieces
        self.stopped = False

    async def stream(self, job, *, model):
        try:
            for piece in self.pieces:
                if isinstance(piece, Gate):
                    piece.reached.set()
                    await piece.open.wait()
                elif isinstance(piece, Exception):
                    raise piece
                else:
                    yield piece
        finally:
            self.stopped = True


def writes(house, *pieces: Any):
    """Let the upstream write this; returns it."""
    upstream = Gated(*pieces)
    house.served_by(local=upstream)
    return upstream


async def text_task(house):
    (view,) = await lookup.task_list(house.gateway, house.caller, limit=9, before_id=2**62)
    return view


async def begin(house, terms=None) -> ChatStream:
    """Ask for a streamed text."""
    ask = chat_ask(stream=True)
    stream = await open_stream(house.gateway, house.caller, ask, terms)
    assert isinstance(stream, ChatStream)
    return stream


async def read(stream):
    return "".join([piece.text async for piece in stream])


async def test_whole_text_costs_what_its_upstream_counted(house):
    writes(house, *WHOLE)

    answer = await complete(house.gateway, house.caller, chat_ask())

    assert (answer.text, answer.finish, answer.usage) == ("One two", "stop", USAGE)
    assert (answer.cost, answer.balance_after) == (COST, CREDITS - COST)
    assert (await text_task(house)).state is TaskState.SUCCEEDED
    await house.assert_charged(COST)


async def test_most_it_can_cost_is_held_while_it_is_written(house):
    gate = Gate()
    writes(house, Chunk(text="One"), gate, *WHOLE[2:])
    stream = await begin(house)
    await gate.reached.wait()

    assert (await house.balance()).held >= 100
    gate.open.set()
    assert await read(stream) == "One"
    assert (await stream.settled()).cost == COST
    await house.assert_charged(COST)


async def test_text_is_never_written_down(house):
    writes(house, *WHOLE)
    answer = await complete(house.gateway, house.caller, chat_ask("my secret"))
    assert "secret" not in (await house.task(answer.task_id)).job


async def test_stream_cut_after_pieces_is_charged_for_those_and_says_so(house):
    writes(house, Chunk(text="One", reasoning="hm"), BROKEN)
    stream = await begin(house)

    with pytest.raises(PorticoError) as caught:
        await read(stream)

    answer = await stream.settled()
    assert caught.value.code is ErrorCode.UPSTREAM_FAILED
    assert (answer.usage.source, answer.reasoning) == ("estimated", "hm")
    assert 0 < answer.cost < 100
    await house.assert_charged(answer.cost)


async def test_whole_text_cut_after_pieces_is_refunded(house):
    writes(house, Chunk(text="One"), BROKEN)
    with pytest.raises(PorticoError):
        await complete(house.gateway, house.caller, chat_ask())
    assert (await text_task(house)).state is TaskState.FAILED
    await house.assert_charged(0)


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (BROKEN, ErrorCode.UPSTREAM_FAILED),
        (PorticoError(ErrorCode.CONTENT_REFUSED, "no"), ErrorCode.CONTENT_REFUSED),
        (PorticoError(ErrorCode.UNAUTHENTICATED, "our key"), ErrorCode.UPSTREAM_FAILED),
        (PorticoError(ErrorCode.INSUFFICIENT_CREDITS, "ours"), ErrorCode.UPSTREAM_FAILED),
        (ZeroDivisionError(), ErrorCode.UPSTREAM_FAILED),
    ],
    ids=["failed", "refused", "our key", "our credits", "bug"],
)
async def test_text_that_fails_before_a_piece_is_refunded(house, raised, code):
    writes(house, raised)
    stream = await begin(house)

    with pytest.raises(PorticoError) as caught:
        await read(stream)
    assert caught.value.code is code
    with pytest.raises(PorticoError):
        await stream.settled()
    await house.assert_charged(0)


async def test_client_that_leaves_stops_the_upstream_and_pays_for_what_it_got(house):
    gate = Gate()
    upstream = writes(house, Chunk(text="One"), gate, Chunk(text="two"))
    stream = await begin(house)
    await gate.reached.wait()

    stream.leave()
    answer = await stream.settled()

    assert upstream.stopped
    assert (answer.text, answer.finish) == ("One", "stop")
    await house.assert_charged(answer.cost)


async def test_client_that_leaves_before_a_piece_pays_for_nothing_written(house):
    gate = Gate()
    writes(house, gate)
    stream = await begin(house)
    await gate.reached.wait()

    stream.leave()
    answer = await stream.settled()

    assert answer.usage.output_tokens == 0
    await house.assert_charged(answer.cost)


async def test_client_that_leaves_before_the_upstream_was_asked(house):
    upstream = writes(house, *WHOLE)
    stream = await begin(house)
    stream.leave()

    answer = await stream.settled()

    assert (answer.text, upstream.stopped) == ("One", True)
    await house.assert_charged(answer.cost)


async def test_server_that_stops_cuts_a_stream_with_an_error_and_settles_it(house):
    gate = Gate()
    upstream = writes(house, Chunk(text="One"), gate, Chunk(text="two"))
    stream = await begin(house)
    await gate.reached.wait()

    await house.gateway.live.end_streams(within_s=5)

    with pytest.raises(PorticoError) as caught:
        await read(stream)
    answer = await stream.settled()
    assert caught.value.code is ErrorCode.OVERLOADED
    assert upstream.stopped
    assert house.gateway.live.streams == set()
    await house.assert_charged(answer.cost)


async def test_server_that_stops_refunds_a_whole_text_nobody_received(house):
    gate = Gate()
    writes(house, Chunk(text="One"), gate, Chunk(text="two"))
    answering = asyncio.create_task(complete(house.gateway, house.caller, chat_ask()))
    await gate.reached.wait()

    await house.gateway.live.end_streams(within_s=5)

    with pytest.raises(PorticoError):
        await answering
    await house.assert_charged(0)


async def test_client_that_stops_reading_and_leaves_holds_nothing_up(house):
    writes(house, *[Chunk(text="x")] * (chat.PIECES_WAITING_MAX + 20))
    stream = await begin(house)
    await let_run()
    stream.leave()

    answer = await stream.settled()
    assert chat.PIECES_WAITING_MAX <= len(answer.text) <= chat.PIECES_WAITING_MAX + 3


async def test_text_that_takes_too_long_is_cut(house):
    house.limited(chat_deadline_s=0.02)
    writes(house, Gate())
    with pytest.raises(PorticoError) as caught:
        await complete(house.gateway, house.caller, chat_ask())
    assert caught.value.code is ErrorCode.UPSTREAM_TIMEOUT
    await house.assert_charged(0)


@pytest.mark.parametrize(
    ("usage", "cost", "source"),
    [
        (ChatUsage(-5, -7, -1), 0, "upstream"),
        (ChatUsage(10, 10**9), None, "capped"),
        (ChatUsage(10, 5, cached_tokens=99), COST, "upstream"),
    ],
    ids=["negative", "huge", "more cached than read"],
)
async def test_senseless_usage_is_clamped(house, usage, cost, source):
    writes(house, Chunk(text="One"), Chunk(finish="stop", usage=usage))

    answer = await complete(house.gateway, house.caller, chat_ask())

    price = (await house.task(answer.task_id)).price
    assert (answer.cost, answer.usage.source) == (price if cost is None else cost, source)
    await house.assert_charged(answer.cost)


async def test_bad_requests_are_refused_before_any_debit(house):
    for ask, code in (
        (chat_ask(name="nobody"), ErrorCode.UNKNOWN_MODEL),
        (chat_ask(""), ErrorCode.INVALID_REQUEST),
    ):
        with pytest.raises(PorticoError) as caught:
            await complete(house.gateway, house.caller, ask)
        assert caught.value.code is code
    house.served_by()
    with pytest.raises(PorticoError) as caught:
        await complete(house.gateway, house.caller, chat_ask())
    assert caught.value.code is ErrorCode.NO_ROUTE
    await house.assert_charged(0)


async def test_key_ceiling_gets_back_what_a_text_did_not_use(house):
    writes(house, *WHOLE)
    house.caller = await house.other_caller("acc_b", credits_max=MICRO)
    await complete(house.gateway, house.caller, chat_ask())
    assert await house.spent_by_key(house.caller) == COST


async def test_repeat_gets_the_first_answer_and_pays_nothing(house):
    upstream = house.upstream
    upstream._pieces = WHOLE
    terms = Terms(repeat=REPEAT)
    first = await complete(house.gateway, house.caller, chat_ask(), terms)
    again = await complete(house.gateway, house.caller, chat_ask(), terms)

    assert again == first
    assert len(upstream.streamed) == 1
    await house.assert_charged(COST)


async def test_repeat_with_another_body_is_a_conflict(house):
    writes(house, *WHOLE)
    await complete(house.gateway, house.caller, chat_ask(), Terms(repeat=REPEAT))
    with pytest.raises(PorticoError) as caught:
        await complete(
            house.gateway, house.caller, chat_ask(), Terms(repeat=Repeat("chat", "key-1", "x"))
        )
    assert caught.value.code is ErrorCode.IDEMPOTENCY_CONFLICT


async def test_repeat_while_the_first_is_written_is_a_conflict(house):
    gate = Gate()
    writes(house, gate, *WHOLE)
    terms = Terms(repeat=REPEAT)
    stream = await begin(house, terms)
    await gate.reached.wait()
    with pytest.raises(PorticoError) as caught:
        await complete(house.gateway, house.caller, chat_ask(), terms)
    gate.open.set()

    assert caught.value.code is ErrorCode.IDEMPOTENCY_CONFLICT
    await read(stream)
    assert isinstance(await open_stream(house.gateway, house.caller, chat_ask(), terms), ChatAnswer)
    await house.assert_charged(COST)


async def test_twenty_repeats_at_once_are_one_text(house):
    gate = Gate()
    writes(house, gate, *WHOLE)
    asks = [
        open_stream(house.gateway, house.caller, chat_ask(stream=True), Terms(repeat=REPEAT))
        for _ in range(20)
    ]
    outcomes = await asyncio.gather(*asks, return_exceptions=True)
    gate.open.set()

    (won,) = [each for each in outcomes if isinstance(each, ChatStream)]
    codes = {each.code for each in outcomes if isinstance(each, PorticoError)}
    assert codes == {ErrorCode.IDEMPOTENCY_CONFLICT}
    await read(won)
    await house.assert_charged(COST)


async def test_failed_text_frees_its_key_for_another_try(house):
    terms = Terms(repeat=REPEAT)
    writes(house, BROKEN)
    with pytest.raises(PorticoError):
        await complete(house.gateway, house.caller, chat_ask(), terms)
    writes(house, *WHOLE)

    answer = await complete(house.gateway, house.caller, chat_ask(), terms)

    assert answer.cost == COST
    await house.assert_charged(COST)


@pytest.fixture
def away(house):
    store = FailingStore(house.gateway.store)
    house.gateway = replace(house.gateway, store=store)
    return store


async def settled_later(house, stream):
    """Let time pass until the money is settled."""
    settling = asyncio.create_task(stream.settled())
    while not settling.done():
        await house.clock.advance(chat.SETTLE_AGAIN_S)
        await asyncio.sleep(0.001)
    return await asyncio.gather(settling, return_exceptions=True)


async def test_database_away_at_the_end_tells_the_client_and_settles_later(house, away):
    gate = Gate()
    writes(house, Chunk(text="One"), gate, *WHOLE[2:])
    stream = await begin(house)
    await gate.reached.wait()
    away.failures = 3
    gate.open.set()

    with pytest.raises(PorticoError) as caught:
        async with asyncio.timeout(5):
            await read(stream)
    assert caught.value.code is ErrorCode.OVERLOADED
    (answer,) = await settled_later(house, stream)

    assert answer.cost == COST
    await house.assert_charged(COST)


async def test_database_away_at_the_end_refunds_a_whole_text_nobody_got(house, away):
    gate = Gate()
    writes(house, gate, *WHOLE)
    waiting = asyncio.create_task(complete(house.gateway, house.caller, chat_ask()))
    await gate.reached.wait()
    away.failures = 1
    gate.open.set()

    with pytest.raises(PorticoError):
        async with asyncio.timeout(5):
            await waiting
    while (await house.balance()).held:
        await house.clock.advance(chat.SETTLE_AGAIN_S)
        await asyncio.sleep(0.001)

    await house.assert_charged(0)


async def test_database_away_after_the_client_left_still_settles(house, away):
    gate = Gate()
    writes(house, Chunk(text="One"), gate)
    stream = await begin(house)
    await gate.reached.wait()
    away.failures = 2
    stream.leave()

    (answer,) = await settled_later(house, stream)

    await house.assert_charged(answer.cost)


async def test_text_that_was_ended_by_somebody_else_stays_ended(house):
    gate = Gate()
    writes(house, gate, *WHOLE)
    stream = await begin(house)
    await gate.reached.wait()
    await give_up_all(house)
    gate.open.set()

    await read(stream)

    assert (await stream.settled()).balance_after == 0
    assert (await text_task(house)).state is TaskState.FAILED
    await house.assert_charged(0)


async def give_up_all(house):
    """Do what the start of another process does with texts."""
    for task_id in await house.gateway.store.read(tasks.open_ids):
        await claim._give_up_text(house.gateway, task_id)
