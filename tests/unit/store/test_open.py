"""Opening and migrating: the file's modes, its revision, and a schema like the tables in code."""

import re
import sqlite3
import stat

import pytest
from sqlalchemy import create_engine

from portico import ledger
from portico.accounts import tables as accounts
from portico.credentials import tables as credentials
from portico.delivery import tables as delivery
from portico.engines import tables as engines
from portico.ledger import Balance
from portico.ledger import tables as ledger_tables
from portico.media import tables as media
from portico.store import metadata, open_store
from portico.store.open import HEAD, migrate, revision, sqlite_path
from portico.tasks import tables as tasks
from portico.testing import add_account, open_test_store

PARTS = (
    accounts,
    credentials,
    delivery,
    engines,
    ledger_tables,
    media,
    tasks,
)  # imported: so all is declared


def test_migrate_makes_a_private_file_at_the_newest_revision(tmp_path):
    path = tmp_path / "data" / "portico.db"
    assert migrate(f"sqlite:///{path}")
    assert revision(f"sqlite:///{path}") == HEAD
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_second_migrate_does_nothing(tmp_path):
    url = f"sqlite:///{tmp_path / 'portico.db'}"
    migrate(url)
    assert not migrate(url)


def test_path_may_hold_odd_characters(tmp_path):
    path = tmp_path / "100% größer" / "portico.db"
    migrate(f"sqlite:///{path}")
    assert revision(f"sqlite:///{path}") == HEAD


def test_empty_file_has_no_revision(tmp_path):
    path = tmp_path / "empty.db"
    path.touch()
    assert revision(f"sqlite:///{path}") is None


@pytest.mark.parametrize("url", ["postgresql://x/y", "sqlite://", "portico.db", ""])
def test_other_urls_are_refused_by_name_of_the_setting(url):
    with pytest.raises(ValueError, match="PORTICO_DATABASE_URL"):
        sqlite_path(url)


async def test_opened_store_keeps_what_was_written(tmp_path):
    url = f"sqlite:///{tmp_path / 'portico.db'}"
    migrate(url)
    store = await open_store(url)
    await store.write(lambda tx: add_account(tx, amount=5))
    await store.close()
    again = await open_store(url)
    assert await again.read(lambda tx: ledger.balance(tx, "acc_a")) == Balance(5, 0)
    await again.close()


async def test_migrated_schema_is_what_the_code_declares(tmp_path):
    await (await open_test_store(tmp_path, name="migrated.db")).close()
    engine = create_engine(f"sqlite:///{tmp_path / 'declared.db'}")
    metadata.create_all(engine)
    engine.dispose()
    assert _schema(tmp_path / "migrated.db") == _schema(tmp_path / "declared.db")


async def test_side_files_are_private_too(tmp_path):
    store = await open_test_store(tmp_path)
    await store.write(lambda tx: add_account(tx, amount=5))
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    await store.close()
    assert set(modes.values()) == {0o600}
    assert "test.db-wal" in modes


def _schema(path):
    """Return every object's definition, with the order of a table's parts evened out."""
    connection = sqlite3.connect(path)
    found = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type <> 'trigger'"
        " AND name NOT LIKE 'alembic%' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    connection.close()
    return {name: _parts(text) for name, text in found}


def _parts(text):
    head, _, body = re.sub(r"\s+", " ", text.replace('"', "")).partition("(")
    return head, sorted(part.strip(" )") for part in re.split(r",(?![^(]*\))", body))
