#!/usr/bin/env python3
"""How many processes, databases and disks a load needs, from what one request costs.

    scripts/capacity.py --tasks 50 --polls 6 --open-s 120 --chats 20 --result-mb 4

Every cost is what `make bench` measured on one machine; give your own with --cost NAME=VALUE. It is
arithmetic, not a promise: it says what breaks first, and at which size.
"""

import argparse
import math
from dataclasses import asdict, dataclass, replace

CORE_US = 1_000_000
BUSY_MAX = 0.6  # of a core: above it, waiting grows faster than load


@dataclass(frozen=True)
class Costs:
    """CPU in microseconds, space in bytes; docs/scale.md says which were measured, and how."""

    submit_api_us: float = 440  # one submit in an API process
    poll_api_us: float = 185  # one status poll
    chat_api_us: float = 560  # one whole chat, held and settled
    run_api_us: float = 1_000  # one task at an upstream, from start to settlement
    admit_db_us: float = 90  # one admission in Postgres, in a group
    settle_db_us: float = 270  # all later writes of one task in Postgres
    poll_db_us: float = 60  # one status poll in Postgres
    task_rows_bytes: float = 6_000  # rows and indexes a task leaves behind
    open_task_bytes: float = 1_100  # memory of one waiting task in its process
    writer_share: float = 0.5  # of one core's time, that the one writer at a time can use
    beat_db_us: float = 500  # one beat of one process


@dataclass(frozen=True)
class Load:
    """What clients do."""

    tasks: float  # a second
    polls: float  # of each task
    open_s: float  # how long a task is open
    chats: float  # a second
    result_mb: float  # of one result
    kept_days: float


def api_processes(load: Load, costs: Costs) -> int:
    """Return how many API processes answer the load and follow its tasks."""
    task_us = costs.submit_api_us + load.polls * costs.poll_api_us + costs.run_api_us
    used = (load.tasks * task_us + load.chats * costs.chat_api_us) / CORE_US
    return max(1, math.ceil(used / BUSY_MAX))


def database_cores(load: Load, costs: Costs, processes: int) -> float:
    """Return how many cores of its machine the database uses."""
    writes_us = costs.admit_db_us + costs.settle_db_us
    reads_us = load.polls * costs.poll_db_us
    chats_us = load.chats * (costs.admit_db_us + costs.settle_db_us / 2)
    beats_us = processes / 2.5 * costs.beat_db_us
    return (load.tasks * (writes_us + reads_us) + chats_us + beats_us) / CORE_US


def writer_use(load: Load, costs: Costs) -> float:
    """Return what share of its time the one writer is busy; at 1 it is the end of one database."""
    written = load.tasks * (costs.admit_db_us + costs.settle_db_us)
    written += load.chats * (costs.admit_db_us + costs.settle_db_us / 2)
    return written / CORE_US / costs.writer_share


def cells(load: Load, costs: Costs) -> int:
    """Return how many databases, each with its own tenants, share the load."""
    return max(1, math.ceil(writer_use(load, costs) / BUSY_MAX))


def report(load: Load, costs: Costs) -> list[tuple[str, str]]:
    """Return everything there is to say, as lines of a table."""
    count = cells(load, costs)
    one = replace(load, tasks=load.tasks / count, chats=load.chats / count)
    processes = api_processes(one, costs)
    open_tasks = one.tasks * one.open_s
    rows_gb = load.tasks * 86_400 * costs.task_rows_bytes / 1e9
    kept_tb = load.tasks * 86_400 * load.kept_days * load.result_mb / 1e6
    return [
        ("cells (databases with tenants of their own)", f"{count:,}"),
        ("API processes a cell", f"{processes:,}"),
        ("database cores a cell", f"{database_cores(one, costs, processes):.1f}"),
        ("the one writer of a cell is busy", f"{writer_use(one, costs):.0%}"),
        ("open tasks a cell", f"{open_tasks:,.0f}"),
        ("memory for them", f"{open_tasks * costs.open_task_bytes / 1e6:,.0f} MB"),
        ("rows a day, all cells", f"{rows_gb:,.1f} GB"),
        ("results kept, all cells", f"{kept_tb:,.1f} TB"),
        (
            "bandwidth of results, in and out",
            f"{load.tasks * load.result_mb * 16 / 1e3:,.2f} Gbit/s",
        ),
    ]


def main() -> None:
    """Read the load, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=float, default=10, help="tasks a second")
    parser.add_argument("--polls", type=float, default=6, help="status polls of each task")
    parser.add_argument("--open-s", type=float, default=120, help="seconds a task is open")
    parser.add_argument("--chats", type=float, default=0, help="whole chats a second")
    parser.add_argument("--result-mb", type=float, default=4, help="size of a result")
    parser.add_argument("--kept-days", type=float, default=15, help="days a result is kept")
    parser.add_argument("--cost", action="append", default=[], metavar="NAME=VALUE")
    given = vars(parser.parse_args())
    changed = dict(each.split("=", 1) for each in given.pop("cost"))
    if unknown := changed.keys() - asdict(Costs()).keys():
        parser.error(f"no such cost: {', '.join(sorted(unknown))}")
    costs = replace(Costs(), **{name: float(text) for name, text in changed.items()})
    lines = report(Load(**given), costs)
    width = max(len(name) for name, _ in lines)
    for name, figure in lines:
        print(f"{name:{width}}  {figure}")  # noqa: T201 - its only purpose


if __name__ == "__main__":
    main()
