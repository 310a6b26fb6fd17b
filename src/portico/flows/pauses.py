"""Learn from what upstreams answer: which routes are well, and which are paused for everybody.

What is built in is never paused: it is no network away, and has nobody to be asked later.
"""

from collections.abc import Callable

import structlog

from portico.core.clock import SECOND_MS
from portico.core.errors import PorticoError
from portico.core.upstreams import Trouble, UpstreamError
from portico.flows import signals
from portico.flows.gateway import Gateway
from portico.routes import Key, key_of
from portico.routes import service as routes
from portico.routes.breaker import State
from portico.store import Tx
from portico.tasks import Attempt

_log = structlog.get_logger("portico.routes")
_OF_THE_JOB = {Trouble.REQUEST, Trouble.MEDIA, Trouble.CONTENT}  # no other job would meet it
_OF_OURS = {Trouble.CREDENTIAL, Trouble.CREDIT}  # whatever was asked, and of which job


async def load(gateway: Gateway) -> None:
    """Read what all processes on the database have paused; at a start, and when it changes."""
    before = {each.key for each in gateway.routes.breakers.pauses}
    now = await gateway.store.read(routes.pauses)
    gateway.routes.breakers.learn(now)
    for key in before - {each.key for each in now}:
        gateway.routes.health.renew(key)


async def run_learning(gateway: Gateway) -> None:
    """Read pauses whenever another process says that they changed, for ever."""
    changed = gateway.live.pauses_changed
    while True:
        await changed.wait()
        changed.clear()
        try:
            await load(gateway)
        except PorticoError as error:  # the next change is told again, and pauses end by themselves
            _log.warning("pauses_not_read", code=error.code)


async def note_refusal(gateway: Gateway, key: Key, error: PorticoError) -> None:
    """Note that a start or a text came to nothing; pauses the route where that is due."""
    trouble = error.trouble if isinstance(error, UpstreamError) else None
    if not _is_watched(gateway, key) or trouble is None:
        return
    if trouble in _OF_THE_JOB:
        await note_answer(gateway, key)
        return
    gateway.routes.health.failed(key)
    if trouble is Trouble.FAILED:
        await note_answer(gateway, key)
        return
    await _pause(gateway, key, trouble, error.retry_after_s)


async def note_answer(gateway: Gateway, key: Key) -> None:
    """Note that an upstream took or judged a job: what was paused goes on."""
    if not _is_watched(gateway, key):
        return
    over = gateway.routes.breakers.answered(key, gateway.clock.now())
    if not over:
        return
    for each in over:
        gateway.routes.health.renew(each)

    def write(tx: Tx) -> None:
        routes.end(tx, over)
        tx.announce(signals.PAUSES)

    _log.info("route_back", credential=key.credential, model=key.model)
    await _told(gateway, write)


async def note_check(gateway: Gateway, attempt: Attempt, error: PorticoError) -> None:
    """Note what a question about a job came to: only what says something about its route."""
    key = key_of(attempt.credential, attempt.upstream_model)
    if not isinstance(error, UpstreamError) or not _is_watched(gateway, key):
        return
    if error.trouble in _OF_OURS:
        await _pause(gateway, key, error.trouble, error.retry_after_s)
    elif error.trouble is Trouble.FAILED:
        gateway.routes.health.failed(key)


def note_result(gateway: Gateway, attempt: Attempt) -> None:
    """Note that an attempt's job was done, and how long that took."""
    latency_s = (gateway.clock.now() - attempt.started_at) / SECOND_MS
    key = key_of(attempt.credential, attempt.upstream_model)
    gateway.routes.health.succeeded(key, latency_s)


async def take_turn(gateway: Gateway, key: Key) -> bool:
    """Be the one attempt that looks again at a paused route; False: another one is.

    True at once where nothing is paused, which is nearly always.
    """
    now = gateway.clock.now()
    breakers = gateway.routes.breakers
    state = breakers.state(key, now)
    if state is not State.HALF_OPEN:
        return state is State.CLOSED
    claimed = breakers.probe(key, now)

    def write(tx: Tx) -> bool:
        turns = [routes.take_turn(tx, each, now=now) for each in claimed]
        tx.announce(signals.PAUSES)
        return all(turns)

    won = await gateway.store.write(write)
    if not won:  # it goes by what the others know
        breakers.lost_turn(claimed)
        await load(gateway)
    return won


async def _pause(gateway: Gateway, key: Key, trouble: Trouble, retry_after_s: float | None) -> None:
    now = gateway.clock.now()
    pause = gateway.routes.breakers.failed(key, trouble, retry_after_s=retry_after_s, now=now)
    if pause is None:
        return

    def write(tx: Tx) -> None:
        routes.pause(tx, pause, now=now)
        tx.announce(signals.PAUSES)

    _log.warning(
        "route_paused",
        credential=pause.credential,
        model=pause.model,
        trouble=trouble,
        for_s=(pause.until - now) / 1000,
    )
    await _told(gateway, write)


async def _told(gateway: Gateway, write: Callable[[Tx], None]) -> None:
    """Let the others know; while the database is away this process goes by what it knows."""
    try:
        await gateway.store.write(write)
    except PorticoError as error:
        _log.warning("pause_not_told", code=error.code)


def _is_watched(gateway: Gateway, key: Key) -> bool:
    one = gateway.providers.get(key.credential)
    return one is not None and not one.is_built_in
