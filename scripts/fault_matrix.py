#!/usr/bin/env python3
"""Write docs/fault-matrix.md from the rows that the tests try: `python scripts/fault_matrix.py`."""

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.contract.providers.matrix import ROWS, Cell, Row, cells  # noqa: E402

PAGE = ROOT / "docs" / "fault-matrix.md"
HEAD = """# The matrix of faults

What goes wrong at an upstream, and how a task ends then, provider by provider. This page is
written by `python scripts/fault_matrix.py`, from the rows that
`tests/contract/providers/test_matrix.py` tries: each cell is one test, which runs a whole gateway
against the emulator of the upstream and looks at the final state, at what its owner is told, at
how many paid jobs the upstream took, at the balance to the last microcredit, and at the whole
ledger. Nothing an upstream says, no key and no prompt may appear in what is told.

The numbers are those of a longer list. What does not depend on the provider is tried elsewhere:
inputs that are no media (F19) in `tests/hostile/test_media.py`, notices that come twice or are
forged (F20) in `tests/contract/test_hooks.py`, clients that leave (F24, F25) in `tests/e2e` and
`tests/flows/test_chat.py`, crashes, disks, databases and clocks (F26 to F36) in `tests/e2e` and
`tests/hostile`.

"ok" stands for *succeeded, charged once*; every other end is refunded in full, in the transaction
that writes it. "lost" is a start of which nobody can say whether it was taken: it is never made
again, and where the upstream cannot tell what became of it, the task fails. "late" is *expired*:
it took longer than its model may.
"""
SHORT = {
    ("succeeded", None): "ok",
    ("failed", "upstream_failed"): "failed",
    ("failed", "invalid_request"): "refused: request",
    ("failed", "content_refused"): "refused: content",
    ("failed", "upstream_timeout"): "lost",
    ("expired", "upstream_timeout"): "late",
}
TITLES = {
    "video": "Videos",
    "image": "Pictures that come at once",
    "waited_image": "Pictures that are jobs",
    "chat": "Texts",
}


def written() -> str:
    """Return the page."""
    count = sum(1 for _ in cells())
    return HEAD + f"\n{count} cells.\n" + "".join(_tables())


def _tables() -> Iterator[str]:
    for makes, rows in groupby(sorted(ROWS, key=lambda row: list(TITLES).index(row.makes)), _makes):
        found = {(cell.case.id, cell.row.id): cell for cell in cells() if cell.row.makes == makes}
        names = list(dict.fromkeys(case_id for case_id, _ in found))
        yield f"\n## {TITLES[makes]}\n\n"
        yield f"| | What goes wrong | {' | '.join(names)} |\n|---|---|{'---|' * len(names)}\n"
        for row in rows:
            ends = [_end(row, found.get((name, row.id))) for name in names]
            yield f"| {row.number} | {row.words} | {' | '.join(ends)} |\n"


def _end(row: Row, cell: Cell | None) -> str:
    if cell is None:
        return "–"
    end = row.end(cell.case)
    jobs = f", {end.jobs} paid there" if end.jobs and end.state != "succeeded" else ""
    return SHORT[end.state, end.code] + jobs


def _makes(row: Row) -> str:
    return row.makes


if __name__ == "__main__":
    PAGE.write_text(written(), "utf-8")
