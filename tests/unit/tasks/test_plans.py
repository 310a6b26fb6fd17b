"""What SQLite's planner makes of the statements: none that runs all the time reads whole tables."""

import re
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy.dialects import sqlite

from portico.store.base import Statement
from portico.tasks import queries
from portico.testing import make_database

# at a start, in the daily check of the ledger, or stopping at the first row
READ_ALL = {"OLDEST", "OPEN_IDS", "UNSOUND"}
STATEMENTS = {name: value for name, value in vars(queries).items() if isinstance(value, Statement)}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_whole_table_is_read_only_where_that_is_meant(name, tmp_path: Path):
    make_database(tmp_path / "plans.db")
    compiled = STATEMENTS[name].expression.compile(dialect=sqlite.dialect(paramstyle="named"))
    text = str(compiled)
    values = dict.fromkeys(re.findall(r":(\w+)", text), 1)

    connection = sqlite3.connect(tmp_path / "plans.db")
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    connection.close()

    assert any(step.startswith("SCAN") for step in plan) == (name in READ_ALL), plan
