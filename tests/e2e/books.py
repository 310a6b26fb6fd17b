"""What must be true of the books after whatever happened, read from the database itself."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

from portico.core.money import MICRO
from tests.e2e.customers import BY_KEY, Promise
from tests.e2e.running import until

STUCK_AFTER_S = 60.0
_OPEN = "state IN ('queued', 'submitting', 'running', 'storing')"
_TASKS = """
SELECT id, kind, state, price, charged, failure_message,
    (SELECT count(*) FROM ledger_entries e WHERE e.task_id = t.id AND e.kind = 'hold') AS holds,
    (SELECT count(*) FROM ledger_entries e WHERE e.task_id = t.id AND e.kind <> 'hold') AS ends,
    (SELECT coalesce(sum(house_delta), 0)::bigint FROM ledger_entries e
        WHERE e.task_id = t.id) AS earned,
    (SELECT count(*) FROM assets a WHERE a.task_id = t.id AND a.role = 'output') AS outputs
FROM tasks t
"""
_TWICE = """
SELECT job::json ->> 'prompt' AS prompt, count(*) AS number FROM tasks
WHERE kind <> 'text' GROUP BY 1 HAVING count(*) > 1
"""
_FILES = "SELECT storage_key FROM assets WHERE role = 'output' AND deleted_at IS NULL"


def fetch(url: str, query: str, *values: object) -> list[Mapping[str, Any]]:
    """Run a query on a connection of its own."""

    async def ask() -> list[Mapping[str, Any]]:
        connection = await asyncpg.connect(url, timeout=10, command_timeout=60)
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    return asyncio.run(ask())


def all_end(url: str, *, within_s: float = STUCK_AFTER_S) -> None:
    """Wait until no task is open."""
    stuck: list[dict[str, Any]] = []
    for _ in until(within_s, every_s=0.3):
        rows = fetch(url, f"SELECT id, state, runner, kind FROM tasks WHERE {_OPEN}")  # noqa: S608
        stuck = [dict(each) for each in rows]
        if not stuck:
            return
    message = f"stuck: {stuck}"
    raise AssertionError(message)


def check_books(
    url: str, folder: Path, promises: Sequence[Promise], *, start: int, upstream: Path, paid: bool
) -> dict[str, Any]:
    """Check every task, every promise and the balance; returns what was counted.

    Args:
        url: the database; nothing is under way any more.
        folder: the data folder, for the results.
        promises: what customers were told.
        start: the credits the only account began with.
        upstream: the upstream's own books.
        paid: it charges, so that nothing may be started twice.
    """
    tasks = {row["id"]: row for row in fetch(url, _TASKS)}
    by_key = {row["key"]: row["task_id"] for row in fetch(url, "SELECT key, task_id FROM requests")}
    for each in tasks.values():
        check_task(each)
    lost = [each for each in promises if each.task_id not in {*tasks, BY_KEY}]
    assert not lost, lost
    for promise in promises:
        assert promise.task_id in {by_key[promise.key], BY_KEY}, promise
        state = tasks[by_key[promise.key]]["state"]
        may_fail = paid and bool(promise.wish.read)  # else it was promised when it was done
        assert state == "succeeded" or (may_fail and state == "failed"), (promise, state)
    assert fetch(url, _TWICE) == []
    (balance,) = fetch(url, "SELECT available, held FROM balances")
    charged = sum(each["charged"] for each in tasks.values())
    assert (balance["available"], balance["held"]) == (start * MICRO - charged, 0)
    missing = [
        row["storage_key"]
        for row in fetch(url, _FILES)
        if not (folder / "files" / row["storage_key"]).is_file()
    ]
    assert missing == []
    starts = Counter(line.rpartition(" ")[0] for line in upstream.read_text().splitlines())
    again = {each: number for each, number in starts.items() if number > 1}
    if paid:
        assert not again, again
    return {
        "tasks": len(tasks),
        "promises": len(promises),
        "states": Counter(f"{each['kind']} {each['state']}" for each in tasks.values()),
        "failures": Counter(each["failure_message"] for each in tasks.values()),
        "charged_credits": charged / MICRO,
        "starts": sum(starts.values()),
        "started_again": len(again),
    }


def check_task(task: Mapping[str, Any]) -> None:
    """Check that a task has ended, and was held once, ended once and charged as it had to be."""
    shown = dict(task)
    assert task["state"] in {"succeeded", "failed", "cancelled", "expired"}, shown
    assert (task["holds"], task["ends"]) == (1, 1), shown
    assert task["earned"] == task["charged"], shown
    if task["state"] != "succeeded":
        assert task["charged"] == 0, shown
    elif task["kind"] == "text":
        assert 0 < task["charged"] <= task["price"], shown
    else:
        assert task["charged"] == task["price"], shown
        assert task["outputs"] == 1, shown
