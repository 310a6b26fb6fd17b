"""What can be done with pauses; each takes an open transaction first and may safely run twice."""

from collections.abc import Iterable

import msgspec

from portico.core.clock import DAY_MS, Instant
from portico.routes import queries
from portico.routes.model import Key, Pause
from portico.store import Tx


def pauses(tx: Tx) -> list[Pause]:
    """Return every pause, also those that are over and wait for someone to look again."""
    return [msgspec.convert(dict(row), Pause) for row in tx.rows(queries.ALL)]


def pause(tx: Tx, pause: Pause, *, now: Instant) -> None:
    """Begin or change a pause; those that were over a day ago and seen to by nobody go."""
    tx.execute(queries.FORGET, before=now - DAY_MS)
    changed = tx.execute(
        queries.LENGTHEN,
        of_credential=pause.credential,
        of_model=pause.model,
        new_until=pause.until,
        new_opens=pause.opens,
        new_reason=pause.reason,
    )
    if not changed:
        tx.execute(queries.INSERT, **msgspec.structs.asdict(pause))


def take_turn(tx: Tx, pause: Pause, *, now: Instant) -> bool:
    """Be the one who looks again, for a while; False: another process is, or it is over.

    Args:
        tx: the transaction.
        pause: as it holds for all the others from now on.
        now: by which the pause before must be over.
    """
    return (
        tx.execute(
            queries.TAKE_TURN,
            of_credential=pause.credential,
            of_model=pause.model,
            new_until=pause.until,
            now=now,
        )
        > 0
    )


def end(tx: Tx, keys: Iterable[Key]) -> None:
    """End pauses."""
    for key in keys:
        tx.execute(queries.END, of_credential=key.credential, of_model=key.model)
