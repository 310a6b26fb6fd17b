"""Lines of text between the processes on one Postgres database, by its NOTIFY and LISTEN."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog

from portico.store.postgres_link import TROUBLE, Connection, connect

CHANNEL = "portico"
SIZE_MAX_BYTES = 7_900  # of one message; Postgres takes no more than 8,000
LISTEN_AGAIN_S = 1.0
_log = structlog.get_logger("portico.store")


def telling(lines: Sequence[str]) -> str:
    """Return the SQL that tells lines at the end of a transaction, each once; empty for none."""
    return "".join(
        f"SELECT pg_notify('{CHANNEL}', '{text}');"
        for text in _messages(line.replace("'", "''") for line in dict.fromkeys(lines))
    )


async def listen(
    url: str,
    is_own: Callable[[int], bool],
    hear: Callable[[str], None],
    missed: Callable[[], None],
) -> None:
    """Hear what others tell, for ever, over a connection of its own that is made anew when lost.

    Args:
        url: the database.
        is_own: whether a process of the server's is the one that writes for us.
        hear: called with the lines of one message.
        missed: called when a connection was made: what was told before was not heard.
    """

    def take(_: Connection, process_id: int, __: str, text: str) -> None:
        if not is_own(process_id):
            hear(text)

    while True:
        try:
            connection = await connect(url)
            try:
                lost = asyncio.Event()
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                await connection.add_listener(CHANNEL, take)
                missed()
                await lost.wait()
            finally:
                await connection.close(timeout=1)
        except TROUBLE as error:
            _log.warning("listening_lost", kind=type(error).__name__)
        await asyncio.sleep(LISTEN_AGAIN_S)


def _messages(lines: Iterable[str]) -> list[str]:
    messages: list[str] = []
    for line in lines:
        if messages and len(messages[-1]) + len(line) < SIZE_MAX_BYTES:
            messages[-1] += f"\n{line}"
        else:
            messages.append(line)
    return messages
