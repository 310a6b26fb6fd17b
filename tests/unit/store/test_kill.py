"""What was answered survives a kill; what was not is there wholly or not at all."""

import signal
import sqlite3
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, sys
from pathlib import Path
from sqlalchemy import text
from portico.core import faults
from portico.store import Statement
from portico.store.sqlite import SqliteStore, connect

path = Path(sys.argv[1])
connection = connect(path)
connection.execute("CREATE TABLE pairs (id INTEGER PRIMARY KEY, half INTEGER)")
connection.close()
faults.arm_from_environment()
ADD = Statement(text("INSERT INTO pairs (half) VALUES (:half)"))

def work(number):
    def run(tx):
        tx.execute(ADD, half=number)
        tx.execute(ADD, half=number)
        return number
    return run

async def write_one(store, number):
    print(await store.write(work(number)), flush=True)

async def main():
    store = SqliteStore(path)
    for base in range(0, 1000, 10):
        await asyncio.gather(*(write_one(store, base + each) for each in range(10)))

asyncio.run(main())
"""


@pytest.mark.parametrize("point", ["writer.before_commit", "writer.after_commit"])
def test_killed_writer_loses_nothing_it_answered(tmp_path, point):
    path = tmp_path / "pairs.db"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(path)],
        env={"PORTICO_FAULT": f"{point}:kill:7"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    answered = {int(line) for line in done.stdout.split()}
    connection = sqlite3.connect(path)
    halves = [row[0] for row in connection.execute("SELECT half FROM pairs")]
    connection.close()
    assert answered
    assert answered <= set(halves)
    assert all(halves.count(each) == 2 for each in set(halves))
