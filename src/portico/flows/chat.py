"""Write a text: hold the most it can cost, pump the upstream, settle what was used.

The upstream is read by a pump task that the gateway owns, not by the client's request: however
the client leaves, the pump settles. Money is never settled in a generator's clean-up.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec
import structlog

from portico import ledger, tasks
from portico.core import faults
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatAsk, ChatJob, ChatUsage, Chunk, Kind, Mode
from portico.core.llm_tokens import count_job_tokens, count_tokens
from portico.core.money import Credits
from portico.core.views import Caller, TaskState
from portico.flows import chat_upstream, costing, moderate, settle
from portico.flows.chat_answer import ChatAnswer, Heard
from portico.flows.gateway import Gateway
from portico.flows.retry import shown
from portico.flows.submit import Repeat, Terms, hold_and_record, lane_of, recall, was_used
from portico.store import Tx
from portico.tasks import NewTask, RouteTaken, Verdict

PIECES_WAITING_MAX = 64
TOKENS_MAX = 2**31 - 1  # of one answer; an upstream that says more is mistaken
SETTLE_AGAIN_S = 5.0
_log = structlog.get_logger("portico.chat")
_encoder = msgspec.json.Encoder()


class Spent(msgspec.Struct, frozen=True):
    """What an upstream takes for a text, and which it is."""

    route: RouteTaken
    cost: Credits


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What goes into the books with the end of a text, beside its charge."""

    keeps: bool  # its answer, for its idempotency key
    spent: Spent | None  # None: not known


class ChatStream:
    """One answer as it is written. Iterate it once; call `leave` when the client goes early."""

    def __init__(
        self, gateway: Gateway, job: ChatJob, task: NewTask, *, repeat: bool, whole: bool
    ) -> None:
        self.task_id = task.id
        self.model = job.model
        self.created_at = task.created_at
        self.result: ChatAnswer | None = None  # once the pump has settled
        self._gateway = gateway
        self._job = job
        self._task = task
        self._repeat = repeat
        self._whole = whole
        self._pieces: asyncio.Queue[Chunk | PorticoError | None] = asyncio.Queue(PIECES_WAITING_MAX)
        self._left = False
        self._deadline: asyncio.Timeout | None = None
        self._pump = asyncio.create_task(self._run())
        gateway.live.streams.add(self)
        self._pump.add_done_callback(lambda _: gateway.live.streams.discard(self))

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        """Yield pieces in order; raises the PorticoError that cut the stream short."""
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, PorticoError):
                raise piece
            yield piece

    def leave(self) -> None:
        """Stop reading: the upstream is stopped and what was delivered is settled."""
        self._left = True
        if self._deadline is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time())
        while not self._pieces.empty():  # the pump may be waiting for room
            self._pieces.get_nowait()

    async def end(self) -> None:
        """Leave, and wait until what was delivered is settled; for a server that stops."""
        self.leave()
        self._pieces.put_nowait(PorticoError(ErrorCode.OVERLOADED, "Stopping, try again"))
        await asyncio.gather(self._pump, return_exceptions=True)

    async def settled(self) -> ChatAnswer:
        """Wait until the money is settled; raises what ended the answer, if it failed."""
        await asyncio.shield(self._pump)
        if self.result is None:
            raise PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
        return self.result

    async def _run(self) -> None:
        heard = Heard()
        error: PorticoError | None = None
        try:
            async with asyncio.timeout(self._gateway.limits.chat_deadline_s) as self._deadline:
                await self._listen(heard)
        except TimeoutError:  # the deadline, brought forward when the client leaves
            if self._whole or not self._left:
                error = PorticoError(ErrorCode.UPSTREAM_TIMEOUT, "The upstream took too long")
        except PorticoError as raised:
            error = shown(raised)
        except Exception as raised:  # noqa: BLE001 - edge: a provider's bug must still settle
            error = PorticoError(ErrorCode.UPSTREAM_FAILED, "Generation failed")
            error.__cause__ = raised
        self._deadline = None
        faults.reach("chat.before_settle")
        told = await self._settle(heard, error)
        faults.reach("chat.after_settle")
        if error is not None and not told:
            await self._hand_on(error)
        await self._hand_on(None)

    async def _settle(self, heard: Heard, error: PorticoError | None) -> bool:
        """Settle, as often as it takes; True: the client was told that it failed meanwhile.

        While the database is away nobody is kept waiting: the client gets an error at once, and
        the money follows when it can (F27, F28).
        """
        told = False
        spent = _spent(self._gateway, self._job, self._task, heard)
        while True:
            if self._whole and error is not None:
                heard = Heard()  # nobody was given a part of a whole answer, so nobody pays
            try:
                self.result = await finish(
                    self._gateway,
                    self._job,
                    self._task,
                    heard,
                    error,
                    Closing(keeps=self._repeat, spent=spent),
                )
            except PorticoError as away:
                _log.error("chat_not_settled", task_id=self._task.id, code=away.code)
                error = error or away
                if not told and not self._left and not self._pieces.full():
                    self._pieces.put_nowait(error)
                    told = True
                await self._gateway.clock.sleep(SETTLE_AGAIN_S)
            else:
                return told

    async def _listen(self, heard: Heard) -> None:
        async with aclosing(chat_upstream.pieces(self._gateway, self._job, heard)) as pieces:
            async for piece in pieces:
                first = not heard.any
                heard.take(piece)
                if not self._whole:
                    await self._hand_on(piece)
                if first:
                    faults.reach("chat.first_chunk")
                if self._left:
                    return

    async def _hand_on(self, piece: Chunk | PorticoError | None) -> None:
        if not self._left:
            await self._pieces.put(piece)


async def open_stream(
    gateway: Gateway, caller: Caller, ask: ChatAsk, terms: Terms | None = None
) -> ChatStream | ChatAnswer:
    """Hold the most an answer can cost and start writing it.

    Returns the earlier answer instead when an Idempotency-Key was used before.

    Raises:
        PorticoError: whatever is wrong with the request, before any debit.
    """
    terms = terms or Terms()
    if terms.repeat and (earlier := await replayed(gateway, caller, terms.repeat)):
        return earlier
    job = gateway.catalogue.resolve_chat(ask)
    moderate.refuse_forbidden(gateway, words_of(job), model=job.model)
    chat_upstream.require_chat(gateway, job)
    task = _new_task(gateway, caller, ask, job)
    await gateway.store.write(
        lambda tx: _admission(tx, caller, task, terms), lane=lane_of(caller, task, terms)
    )
    faults.reach("chat.after_hold")
    return ChatStream(gateway, job, task, repeat=terms.repeat is not None, whole=not ask.stream)


async def complete(
    gateway: Gateway, caller: Caller, ask: ChatAsk, terms: Terms | None = None
) -> ChatAnswer:
    """Write a whole answer; it settles even when the client leaves before it is done.

    Raises:
        PorticoError: before any debit for a bad request; after a full refund when it failed.
    """
    stream = await open_stream(gateway, caller, ask, terms)
    if isinstance(stream, ChatAnswer):
        return stream
    async for _ in stream:  # pieces are counted by the pump; errors come out here
        pass
    return await stream.settled()


async def finish(
    gateway: Gateway,
    job: ChatJob,
    task: NewTask,
    heard: Heard,
    error: PorticoError | None,
    closing: Closing,
) -> ChatAnswer | None:
    """Settle an answer for what was delivered, at most for what was held; None: refunded.

    A stream that was cut after some pieces is charged for those pieces (F21, F24, L5).
    """
    if error is not None and not heard.any:
        await _settle(gateway, task, _failed(gateway, error), answer=None, closing=closing)
        return None
    usage = _usage(heard, job, task)
    now = gateway.clock.now()
    charged = _charge(gateway, job, task, usage)
    verdict = Verdict(
        state=TaskState.SUCCEEDED,
        charged=charged,
        usage=msgspec.to_builtins(usage),
        expires_at=now + gateway.limits.result_kept_ms,
    )
    answer = ChatAnswer(
        task_id=task.id,
        model=job.model,
        text=heard.text,
        reasoning=heard.reasoning,
        finish=heard.finish or "stop",
        usage=usage,
        cost=charged,
        balance_after=0,
        created_at=task.created_at,
    )
    balance = await _settle(gateway, task, verdict, answer=answer, closing=closing)
    return msgspec.structs.replace(answer, balance_after=balance)


async def replayed(gateway: Gateway, caller: Caller, repeat: Repeat) -> ChatAnswer | None:
    """Return the answer an idempotency key brought before, or None for a new key.

    Raises:
        PorticoError: IDEMPOTENCY_CONFLICT for another body, or while the first is under way.
    """
    found = await recall(gateway, caller, repeat)
    if found is None:
        return None
    if found.answer is None:
        raise PorticoError(ErrorCode.IDEMPOTENCY_CONFLICT, "The same request is under way")
    return msgspec.json.decode(found.answer, type=ChatAnswer)


def clamped(usage: ChatUsage, job: ChatJob) -> ChatUsage:
    """Keep an upstream's counts within reason: never negative, never beyond what can be read."""
    read = min(max(0, usage.input_tokens), TOKENS_MAX)
    return ChatUsage(
        input_tokens=read,
        output_tokens=min(max(0, usage.output_tokens), TOKENS_MAX),
        cached_tokens=max(0, min(usage.cached_tokens, read)),
        source=usage.source if usage.output_tokens <= job.max_tokens else "capped",
    )


def _usage(heard: Heard, job: ChatJob, task: NewTask) -> ChatUsage:
    """Return what was used: the upstream's counts where they are any, else our own (F22, F23)."""
    told = heard.usage
    if told is None:
        return _own_usage(heard, job)
    whole = all(isinstance(each, int) for each in _counts(told))
    usage = clamped(told, job) if whole else _own_usage(heard, job)
    if usage != told:
        _log.warning("odd_usage", task_id=task.id, model=job.model)
    return usage


def _own_usage(heard: Heard, job: ChatJob) -> ChatUsage:
    return ChatUsage(
        input_tokens=count_job_tokens(job),
        output_tokens=count_tokens(heard.text) + count_tokens(heard.reasoning),
        source="estimated",
    )


def _counts(usage: ChatUsage) -> tuple[int, int, int]:
    return usage.input_tokens, usage.output_tokens, usage.cached_tokens


def _spent(gateway: Gateway, job: ChatJob, task: NewTask, heard: Heard) -> Spent | None:
    """Return what its upstream takes for what was written, also where nobody pays for it."""
    if heard.took is None or not heard.any or not costing.has_costs(gateway, job.model):
        return None
    usage = _usage(heard, job, task)
    cost = costing.cost_of_text(gateway, job, heard.took, usage, at=task.created_at)
    return None if cost is None else Spent(heard.took, cost)


def _charge(gateway: Gateway, job: ChatJob, task: NewTask, usage: ChatUsage) -> Credits:
    """Price what was used as it was quoted, never above what is held."""
    try:
        cost = gateway.catalogue.price_chat(job, usage, at=task.created_at)
    except PorticoError:  # beyond the price's ceiling, or above all that can be counted
        return task.price
    return min(task.price, cost)


def words_of(job: ChatJob) -> str:
    """Return all text of a conversation, for moderation."""
    return "\n".join(message.words() for message in job.messages)


def _admission(tx: Tx, caller: Caller, task: NewTask, terms: Terms) -> None:
    if was_used(tx, caller, terms):
        raise PorticoError(ErrorCode.IDEMPOTENCY_CONFLICT, "The same request is under way")
    hold_and_record(tx, caller, task, terms)


async def _settle(
    gateway: Gateway,
    task: NewTask,
    verdict: Verdict,
    *,
    answer: ChatAnswer | None,
    closing: Closing,
) -> Credits:
    spent = closing.spent

    def write(tx: Tx) -> Credits:
        settle.end_task(gateway, tx, task, verdict)
        balance = ledger.balance(tx, task.account_id).available
        if spent is not None:
            tasks.note_text_cost(tx, task.id, spent.route, cost=spent.cost)
        if closing.keeps:
            kept = answer and msgspec.structs.replace(answer, balance_after=balance)
            text = _encoder.encode(kept).decode() if kept else None
            tasks.answer_request(tx, task.account_id, task.id, answer=text)
        return balance

    try:
        balance = await gateway.store.write(write, lane=task.id)
    except settle.AlreadyEndedError:  # the sweep was faster, after a very long stall
        return 0
    if spent is not None:
        costing.warn_if_negative(task.id, charged=verdict.charged, cost=spent.cost)
    return balance


def _failed(gateway: Gateway, error: PorticoError) -> Verdict:
    return Verdict(
        state=TaskState.FAILED,
        failure_code=error.code,
        failure_message=error.message,
        expires_at=gateway.clock.now() + gateway.limits.result_kept_ms,
    )


def _new_task(gateway: Gateway, caller: Caller, ask: ChatAsk, job: ChatJob) -> NewTask:
    """Record a text task as running; its messages are never written down."""
    now = gateway.clock.now()
    quote = gateway.catalogue.quote_chat(job, input_tokens=count_job_tokens(job), at=now)
    return NewTask(
        id=gateway.ids.task_id(),
        account_id=caller.account_id,
        key_id=caller.key_id,
        dialect=ask.dialect,
        offered_name=ask.name or job.offering,
        kind=Kind.TEXT,
        mode=Mode.CHAT,
        model=job.model,
        offering=job.offering,
        state=TaskState.RUNNING,
        job=f'{{"params":{{"max_tokens":{job.max_tokens}}}}}',
        quote=_encoder.encode(quote).decode(),
        price=quote.amount,
        created_at=now,
        deadline_at=now + round(gateway.limits.chat_deadline_s * 2000),
        runner=gateway.runner.id,
    )
