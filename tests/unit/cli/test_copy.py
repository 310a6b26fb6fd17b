"""`portico copy`: what it says, what it refuses, and that no password is ever shown."""

import asyncio
import sqlite3
import subprocess
import sys

import asyncpg
import pytest

from portico.store import open_store
from portico.store.open import HEAD, revision
from portico.store.sqlite import connect
from portico.testing import make_database
from tests.full_rows import fill, in_thread, row_values


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.db"
    make_database(path)
    in_thread(write(f"sqlite:///{path}", fill))
    return f"sqlite:///{path}"


@pytest.fixture
def blank(postgres):
    """A Postgres database without a schema."""
    postgres.command("CREATE DATABASE blank")
    yield postgres.url("blank")
    postgres.drop(postgres.url("blank"))


async def write(url, work):
    store = await open_store(url)
    try:
        return await store.write(work)
    finally:
        await store.close()


async def run_on(url, statement):
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def rows_of(url):
    return in_thread(write(url, row_values))


def test_copy_there_and_back_by_command(portico, source, blank, tmp_path):
    there = portico("copy", "--from", source, "--to", blank)
    back = portico("copy", "--from", blank, "--to", f"sqlite:///{tmp_path / 'new' / 'back.db'}")
    assert (there.code, there.err, back.code, back.err) == (0, "", 0, "")
    assert there.out.splitlines()[-1].startswith("Copied ")
    assert "both ledgers are sound" in there.out
    rows = rows_of(source)
    assert rows_of(blank) == rows
    assert rows_of(f"sqlite:///{tmp_path / 'new' / 'back.db'}") == rows


def test_answer_in_json_names_every_table(portico, source, tmp_path):
    found = portico("copy", "--from", source, "--to", f"sqlite:///{tmp_path / 'b.db'}", "--json")
    result = found.result
    assert (result["revision"], result["sound"], result["left_behind"]) == (HEAD, True, False)
    assert {each["table"]: each["rows"] for each in result["tables"]} == {
        name: len(rows) for name, rows in rows_of(source).items()
    }
    assert all(len(each["digest"]) == 64 for each in result["tables"])
    assert (result["from"], result["to"]) == (
        source.removeprefix("sqlite:///"),
        str(tmp_path / "b.db"),
    )


def test_second_copy_into_the_same_target_is_refused(portico, source, tmp_path):
    target = f"sqlite:///{tmp_path / 'b.db'}"
    portico("copy", "--from", source, "--to", target)
    ran = portico("copy", "--from", source, "--to", target)
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "the target is not empty" in ran.err


def test_source_that_is_not_there_is_refused_and_not_made(portico, data, tmp_path):
    ran = portico("copy", "--from", f"sqlite:///{tmp_path / 'no.db'}", "--to", "sqlite:///b.db")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "there is no Portico database at" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("side", ["--from", "--to"])
def test_other_revision_is_refused_on_either_side(portico, source, tmp_path, side):
    other = tmp_path / "other.db"
    make_database(other)
    connection = sqlite3.connect(other)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    sides = {"--from": source, "--to": f"sqlite:///{tmp_path / 'b.db'}"}
    sides[side] = f"sqlite:///{other}"
    ran = portico("copy", *(word for pair in sides.items() for word in pair))
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "is at revision 9999" in ran.err
    assert revision(f"sqlite:///{other}") == "9999"
    assert not (tmp_path / "b.db").exists()


def test_target_with_tables_of_somebody_else_is_refused_and_left_alone(portico, source, tmp_path):
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE notes (text TEXT)")
    connection.close()
    ran = portico("copy", "--from", source, "--to", f"sqlite:///{other}")
    assert (ran.code, "is not empty: it has tables" in ran.err) == (1, True)
    connection = sqlite3.connect(other)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("notes",)]
    connection.close()


def test_postgres_target_with_tables_of_somebody_else_is_refused(portico, source, blank):
    in_thread(run_on(blank, "CREATE TABLE notes (text TEXT)"))
    ran = portico("copy", "--from", source, "--to", blank)
    assert (ran.code, "is not empty: it has tables" in ran.err) == (1, True)
    assert revision(blank) is None


def test_source_that_a_process_has_open_is_copied_only_when_asked(portico, source, tmp_path):
    target = f"sqlite:///{tmp_path / 'b.db'}"
    other = connect(tmp_path / "source.db")
    try:
        other.execute("SELECT count(*) FROM tasks")
        refused = portico("copy", "--from", source, "--to", target)
        copied = portico("copy", "--from", source, "--to", target, "--while-running")
    finally:
        other.close()
    assert (refused.code, "is in use" in refused.err) == (1, True)
    assert (copied.code, "stays behind" in copied.err) == (0, True)
    assert rows_of(target) == rows_of(source)


async def test_postgres_in_use_is_refused_on_either_side(portico, source, postgres, tmp_path):
    url = postgres.emptied()
    store = await open_store(url)
    try:
        await store.write(fill)
        copies = (("--from", source, "--to", url), ("--from", url, "--to", "sqlite:///b.db"))
        ran = [await asyncio.to_thread(portico, "copy", *each) for each in copies]
    finally:
        await store.close()
    assert [each.code for each in ran] == [1, 1]
    assert all("is in use" in each.err for each in ran)
    assert not (tmp_path / "b.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:hush-hush@localhost:1/portico",
        "postgresql://ann:hush-hush@localhost:hush-hush/portico",
        "postgresql://ann@localhost:1/portico?password=hush-hush",
        "postgresql://ann:hush-hush@[::1/portico",
        "postgres://ann:hush-hush@localhost/portico",
        "mysql://ann:hush-hush@localhost/portico",
        "hush-hush",
    ],
)
@pytest.mark.parametrize("side", ["--from", "--to"])
def test_unusable_url_is_one_line_without_its_password(portico, source, side, url):
    sides = {"--from": source, "--to": "sqlite:///b.db", side: url}
    ran = portico("copy", *(word for pair in sides.items() for word in pair))
    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert "hush" not in ran.err


def test_password_is_not_shown_when_all_goes_well(portico, source, blank):
    url = blank.replace("portico@", "portico:hush-hush@")
    ran = portico("copy", "--from", source, "--to", url, "--json")
    assert ran.code == 0
    assert "hush" not in ran.out + ran.err
    assert ran.result["to"] == "postgresql:///blank"


def test_copy_onto_itself_is_refused(portico, source):
    ran = portico("copy", "--from", source, "--to", source)
    assert (ran.code, ran.err) == (1, "portico: --from and --to are the same database\n")


def test_every_table_is_known_to_the_command_alone(tmp_path):
    # tables are declared when their part is imported: one that is not would stay behind
    script = (
        "import portico.cli.copy; from portico.store import metadata;"
        "print(*sorted(metadata.tables))"
    )
    known = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    make_database(tmp_path / "a.db")
    connection = sqlite3.connect(tmp_path / "a.db")
    tables = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'alembic_version'"
    ).fetchall()
    connection.close()
    assert known.stdout.decode().split() == sorted(name for (name,) in tables)
