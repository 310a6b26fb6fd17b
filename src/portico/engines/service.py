"""What can be done with runners; each takes an open transaction first."""

from portico.core.clock import Instant
from portico.core.ids import RunnerId
from portico.engines import queries
from portico.store import Tx


def register(tx: Tx, runner: RunnerId, *, queues: frozenset[str], now: Instant) -> None:
    """Add a process to those that are alive."""
    tx.execute(queries.REGISTER, id=runner, queues=",".join(sorted(queues)), now=now)


def beat(tx: Tx, runner: RunnerId) -> bool:
    """Count up, as a sign of life; False: the others took it for dead, and it owns nothing."""
    return tx.execute(queries.BEAT, runner=runner) > 0


def beats(tx: Tx) -> dict[RunnerId, int]:
    """Return every registered runner and its count, the oldest first."""
    return {row["id"]: row["beat"] for row in tx.rows(queries.ALL)}


def queues(tx: Tx) -> dict[RunnerId, frozenset[str]]:
    """Return what each registered runner takes, the oldest first."""
    return {
        row["id"]: frozenset(filter(None, row["queues"].split(","))) for row in tx.rows(queries.ALL)
    }


def remove(tx: Tx, runner: RunnerId, *, seen: int | None = None) -> bool:
    """Take a runner off the list; with `seen` only when its count is still that one."""
    if seen is None:
        return tx.execute(queries.REMOVE, runner=runner) > 0
    return tx.execute(queries.REMOVE_SILENT, runner=runner, seen=seen) > 0


def remove_all(tx: Tx) -> None:
    """Forget every runner: for a database that only one process uses."""
    tx.execute(queries.REMOVE_ALL)
