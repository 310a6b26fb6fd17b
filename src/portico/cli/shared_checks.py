"""What `portico doctor` looks at where several processes, or machines, share one database.

What may be meant (a second process on the same machine) is a piece of advice, not a fault.
"""

import asyncio

from portico import tasks
from portico.cli.desk import database_revision
from portico.cli.health_checks import Finding
from portico.core.clock import SECOND_MS, SystemClock
from portico.core.ids import RunnerId
from portico.engines import QUEUES
from portico.engines import service as engines
from portico.flows.claim import BEAT_S
from portico.settings import Settings
from portico.store import Store, Tx, open_store
from portico.store.open import HEAD, is_postgres, server_ahead_ms

BUILT_AFTER_MS = 1_760_000_000_000  # a clock before this is wrong
APART_MAX_MS = 2_000
LOOK_EVERY_S = 0.5
_NOT_THE_SAME = (
    "of this machine: before a second one joins, set PORTICO_SECRET_KEY to the same on all, or one "
    "refuses another's links and signs callbacks in its own way"
)
SILENT_AFTER_S = 2 * BEAT_S + 1  # whoever lives has counted up by then


async def clock(settings: Settings) -> Finding:
    """Check that the wall clock was set, and goes like that of the database's server."""
    wall = SystemClock()
    if wall.now() <= BUILT_AFTER_MS:
        return Finding(
            good=False,
            detail="far in the past",
            advice="set the clock: ids, expiries and signatures rest on it",
        )
    if not is_postgres(settings.database):
        return Finding(good=True, detail="set")
    try:
        ahead_ms = await server_ahead_ms(settings.database, wall)
    except OSError:
        return Finding(good=True, detail="set; the database's cannot be seen")
    if abs(ahead_ms) <= APART_MAX_MS:
        return Finding(good=True, detail="set, as the database's")
    way = "behind" if ahead_ms > 0 else "ahead of"
    return Finding(
        good=True,
        detail=f"{abs(ahead_ms) / SECOND_MS:.1f} s {way} the database's",
        advice="let every machine follow a time server: deadlines and expiries are set by one "
        "machine and judged by another",
    )


async def secret(settings: Settings) -> Finding:
    """Check that machines that share a database can share the secret, too."""
    if settings.secret_key:
        return Finding(good=True, detail="set")
    advice = _NOT_THE_SAME if is_postgres(settings.database) else ""
    return Finding(good=True, detail="in the data folder", advice=advice)


async def runners(settings: Settings) -> Finding:
    """Count the processes that live, and see that somebody takes what waits."""
    if not is_postgres(settings.database):
        return Finding(good=True, detail="one process does everything")
    if await asyncio.to_thread(database_revision, settings) != HEAD:
        return Finding(good=True, detail="nothing to check")
    store = await open_store(settings.database)
    try:
        alive, silent = await _look_for_life(store)
        waiting = await store.read(_count_waiting)
    finally:
        await store.close()
    taken = frozenset[str]().union(*alive.values())
    stuck = sorted(queue for queue, count in waiting.items() if count and queue not in taken)
    detail = _described(alive, silent)
    if not stuck:
        return Finding(good=True, detail=detail)
    counts = ", ".join(f"{waiting[queue]} {queue}" for queue in stuck)
    return Finding(
        good=False,
        detail=f"{detail}; tasks that nobody takes: {counts}",
        advice=f"start `portico worker --queues {','.join(stuck)}`",
    )


async def _look_for_life(store: Store) -> tuple[dict[RunnerId, frozenset[str]], int]:
    """Return what each living process takes, and how many are registered but count no further."""
    before = await store.read(engines.beats)
    left_s = SILENT_AFTER_S
    while True:
        now, queues = await store.read(lambda tx: (engines.beats(tx), engines.queues(tx)))
        moved = {each for each, beat in now.items() if before.get(each) != beat}
        if len(moved) == len(now) or left_s <= 0:
            return {each: queues[each] for each in moved}, len(now) - len(moved)
        await asyncio.sleep(LOOK_EVERY_S)
        left_s -= LOOK_EVERY_S


def _count_waiting(tx: Tx) -> dict[str, int]:
    return {queue: tasks.count_waiting(tx, queue) for queue in QUEUES}


def _described(alive: dict[RunnerId, frozenset[str]], silent: int) -> str:
    taking = {queue: sum(queue in each for each in alive.values()) for queue in sorted(QUEUES)}
    only_answer = sum(not each for each in alive.values())
    parts = [f"{count} for {queue}" for queue, count in taking.items()]
    parts.append(f"{only_answer} without tasks")
    found = f"{len(alive)} alive: {', '.join(parts)}" if alive else "none alive"
    return f"{found}; {silent} silent" if silent else found
