"""Watch from the database how long the tasks of a killed process wait for another."""

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import asyncpg

from tests.e2e.town import Victim

LOOK_S = 0.1
_OPEN = "state IN ('queued', 'submitting', 'running', 'storing')"
_OWNED = f"SELECT id, kind FROM tasks WHERE runner = $1 AND {_OPEN}"  # noqa: S608 - our own words
_SINCE = f"SELECT id, runner, {_OPEN} AS open FROM tasks WHERE id = ANY($1)"  # noqa: S608
_OLDEST = f"SELECT min(created_at) AS at FROM tasks WHERE {_OPEN}"  # noqa: S608
_ABLE = "SELECT id FROM runners WHERE queues <> ''"  # who can take over


@dataclass(slots=True)
class Takeover:
    """What became of the tasks of one killed process."""

    victim: Victim
    waiting: set[int] = field(default_factory=set)
    texts: set[int] = field(default_factory=set)
    after_s: list[float] = field(default_factory=list)  # until another ran it
    refunded_after_s: list[float] = field(default_factory=list)  # texts: nobody can go on
    was_watched: bool = False  # one that can take lived from the kill to the end

    @property
    def texts_seen(self) -> bool:
        return bool(self.refunded_after_s)

    @property
    def is_over(self) -> bool:
        return not self.waiting and not self.texts


class Watcher:
    """Looks every tenth of a second, on a thread and a connection of its own."""

    def __init__(self, url: str) -> None:
        self.takeovers: list[Takeover] = []
        self.oldest_s = 0.0  # the longest any task was open
        self._url = url
        self._new: SimpleQueue[Victim] = SimpleQueue()
        self._lives: dict[str, tuple[float, float]] = {}  # first and last seen among the living
        self._dead: set[str] = set()  # still in the table until they are buried
        self._is_closing = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._watch()))
        self._thread.start()

    def add(self, victim: Victim) -> None:
        """Watch what becomes of a victim's tasks."""
        if victim.runner is not None:
            self._dead.add(victim.runner)
            self._new.put(victim)

    def close(self) -> None:
        """Stop watching."""
        self._is_closing.set()
        self._thread.join(30)

    @property
    def open(self) -> list[Takeover]:
        """Return those that are not over."""
        return [each for each in self.takeovers if not each.is_over]

    async def _watch(self) -> None:
        while not self._is_closing.is_set():
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection = await asyncpg.connect(self._url, timeout=5, command_timeout=5)
                try:
                    while not self._is_closing.is_set():
                        await self._look(connection)
                        await asyncio.sleep(LOOK_S)
                finally:
                    connection.terminate()
            await asyncio.sleep(LOOK_S)

    async def _look(self, connection: asyncpg.Connection) -> None:
        with suppress(Empty):
            while True:
                victim = self._new.get_nowait()
                takeover = Takeover(victim)
                for row in await connection.fetch(_OWNED, victim.runner):
                    (takeover.texts if row["kind"] == "text" else takeover.waiting).add(row["id"])
                self.takeovers.append(takeover)
        for takeover in self.open:
            await self._follow(connection, takeover)
        now_s = time.monotonic()
        for row in await connection.fetch(_ABLE):
            if row["id"] not in self._dead:
                first_s, _ = self._lives.get(row["id"], (now_s, now_s))
                self._lives[row["id"]] = (first_s, now_s)
        oldest = await connection.fetchval(_OLDEST)
        if oldest is not None:
            self.oldest_s = max(self.oldest_s, time.time() - oldest / 1000)

    async def _follow(self, connection: asyncpg.Connection, takeover: Takeover) -> None:
        rows = await connection.fetch(_SINCE, list(takeover.waiting | takeover.texts))
        since_s = time.monotonic() - takeover.victim.at_s
        for row in rows:
            task_id, owner = row["id"], row["runner"]
            if task_id in takeover.texts:
                if not row["open"]:
                    takeover.texts.discard(task_id)
                    takeover.refunded_after_s.append(since_s)
            elif owner is not None and owner != takeover.victim.runner:
                takeover.waiting.discard(task_id)
                takeover.after_s.append(since_s)
            elif not row["open"]:  # its last write had been sent
                takeover.waiting.discard(task_id)
        if takeover.is_over:
            takeover.was_watched = any(
                first_s <= takeover.victim.at_s and each != takeover.victim.runner
                for each, (first_s, last_s) in self._lives.items()
                if last_s > takeover.victim.at_s + since_s - 1
            )
