"""Three kinds of source hold the same, are only read, and say clearly what is wrong with them."""

import sqlite3
import tracemalloc

import asyncpg
import pytest

from portico.core.errors import PorticoError
from portico.predecessors import foreign_channel, foreign_key, foreign_user, open_source
from portico.predecessors import source as module
from portico.predecessors.postgres import open_postgres
from tests.predecessors import (
    fill_postgres,
    make_dump,
    make_sqlite,
    mysql_dump,
    rows,
)

TABLES = ("users", "tokens", "channels", "options")


@pytest.fixture
def filled(postgres):
    postgres.command("CREATE DATABASE predecessor")
    url = postgres.url("predecessor")
    postgres.run(fill_postgres(url))
    yield url
    postgres.drop(url)


async def everything(name):
    source = await open_source(str(name))
    try:
        return {table: [row async for rows in source.rows(table) for row in rows]
                for table in TABLES}  # fmt: skip
    finally:
        await source.close()


def meant(content):
    return (
        [foreign_user(row) for row in content["users"]],
        [foreign_key(row) for row in content["tokens"]],
        [foreign_channel(row, "new-api") for row in content["channels"]],
        {row["key"]: row["value"] for row in content["options"]},
    )


async def test_all_kinds_of_source_say_the_same(tmp_path, filled):
    wanted = meant(rows())
    assert meant(await everything(make_sqlite(tmp_path / "a.db"))) == wanted
    assert meant(await everything(make_dump(tmp_path / "a.sql"))) == wanted
    assert meant(await everything(filled)) == wanted


async def test_passwords_and_logs_are_never_read(tmp_path, filled):
    for name in (make_sqlite(tmp_path / "a.db"), make_dump(tmp_path / "a.sql"), filled):
        found = await everything(name)
        assert "canary-password-hash" not in repr(found)
        assert set(found["users"][0]) == set(module.COLUMNS["users"])


async def test_source_stays_as_it_was(tmp_path):
    path = make_sqlite(tmp_path / "a.db")
    before = path.read_bytes()
    path.chmod(0o400)
    await everything(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


async def test_postgres_is_read_in_a_read_only_transaction(filled):
    source = await open_postgres(filled)
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await source._connection.execute("DELETE FROM users")
    await source.close()


async def test_rows_come_by_their_ids_and_in_batches(tmp_path, filled, monkeypatch, postgres):
    monkeypatch.setattr("portico.predecessors.sqlite.BATCH", 2)
    monkeypatch.setattr("portico.predecessors.postgres.BATCH", 2)
    monkeypatch.setattr("portico.predecessors.dump.BATCH", 2)
    for name in (make_sqlite(tmp_path / "a.db"), make_dump(tmp_path / "a.sql"), filled):
        source = await open_source(str(name))
        sizes, ids = [], []
        async for batch in source.rows("tokens"):
            sizes.append(len(batch))
            ids += [int(row["id"]) for row in batch]
        await source.close()
        assert (sizes, ids) == ([2] * 5 + [1], list(range(1, 12)))


async def test_dump_names_its_columns_in_any_order(tmp_path):
    text = (
        "INSERT INTO users (`quota`,`username`, `id`,status,`junk`) VALUES "
        "(5,'a',1,'1',_binary 'x'),\n(0x36,\"b\",2,TRUE,b'0');"
    )
    path = tmp_path / "a.sql"
    path.write_text(text)
    source = await open_source(str(path))
    found = [row async for batch in source.rows("users") for row in batch]
    await source.close()
    assert found == [
        {"quota": 5, "username": "a", "id": 1, "status": "1"},
        {"quota": "6", "username": "b", "id": 2, "status": 1},
    ]


async def test_dump_of_many_statements_and_a_replace(tmp_path):
    text = mysql_dump(rows() | {"users": []}).replace("INSERT INTO `users` VALUES ;\n", "")
    names = ",".join(f"`{name}`" for name in ("id", "username", "status", "quota"))
    for number in range(1, 4):
        text += f"REPLACE INTO `users` ({names}) VALUES ({number},'u{number}',1,0);\n"  # noqa: S608
    (tmp_path / "a.sql").write_text(text)
    found = await everything(tmp_path / "a.sql")
    assert [row["username"] for row in found["users"]] == ["u1", "u2", "u3"]


@pytest.mark.parametrize("cut", range(5, 100, 7))
async def test_dump_cut_off_anywhere_is_refused_or_whole_up_to_there(tmp_path, cut):
    text = mysql_dump()
    (tmp_path / "a.sql").write_text(text[: len(text) * cut // 100])
    with pytest.raises(PorticoError, match=r"complete|no table"):
        await everything(tmp_path / "a.sql")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table users"),
        ("hello", "no table users"),
        ("INSERT INTO `users` SELECT 1;", "in a way that is not read here"),
        ("INSERT INTO `users` (id,username,status,quota) VALUES (1,2);", "2 values for 4 columns"),
        ("INSERT INTO `users` (id,username,status,quota) VALUES (1,SLEEP(9),1,2);", "than values"),
        ("INSERT INTO `users` (id,username,status,quota) VALUES (1 2,1,1);", "cannot be read"),
        ("INSERT INTO `users` (id,username,status,quota) VALUES (0xZZ,1,1,1);", "than values"),
        ("INSERT INTO `users` (id,quota) VALUES (1,2);", "no column status, username"),
        ("INSERT INTO `users` VALUES (1,2);", "no column"),
        ("INSERT INTO users (" + "a," * 600 + "b) VALUES (1);", "more than 500 columns"),
        ("INSERT INTO users (id,username,status,quota) VALUES (1,'a',1,", "complete"),
    ],
)
async def test_dump_that_is_none_is_refused_in_one_line(tmp_path, text, message):
    (tmp_path / "a.sql").write_text(text)
    with pytest.raises(PorticoError, match=message):
        await everything(tmp_path / "a.sql")


async def test_view_in_place_of_a_table_is_not_read(tmp_path):
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("CREATE TABLE other (id, username, status, quota)")
    connection.execute("CREATE VIEW users AS SELECT * FROM other")
    connection.close()
    with pytest.raises(PorticoError, match="no table users"):
        await everything(tmp_path / "a.db")


async def test_damaged_file_is_refused(tmp_path):
    path = make_sqlite(tmp_path / "a.db")
    raw = bytearray(path.read_bytes())
    raw[1_000:] = b"\xee" * len(raw[1_000:])
    path.write_bytes(raw)
    with pytest.raises(PorticoError, match="SQLite file cannot be read"):
        await everything(path)


async def test_postgres_that_cannot_be_reached_is_refused_without_its_url(tmp_path):
    with pytest.raises(PorticoError) as refused:
        await open_source(f"postgresql://someone:canary@/none?host={tmp_path}")
    assert "canary" not in refused.value.message


async def test_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROWS_MAX", 3)
    monkeypatch.setattr("portico.predecessors.dump.BATCH", 2)
    for path in (make_sqlite(tmp_path / "a.db"), make_dump(tmp_path / "a.sql")):
        with pytest.raises(PorticoError, match="more than 3 rows"):
            await everything(path)


async def test_large_dump_takes_little_memory(tmp_path):
    path = tmp_path / "a.sql"
    with path.open("w") as file:
        file.write(mysql_dump())
        for _ in range(8):
            file.write("INSERT INTO `logs` VALUES ")
            file.write(",".join(f"({number},'it\\'s; {'x' * 150}')" for number in range(5_000)))
            file.write(";\n")
    tracemalloc.start()
    try:
        found = await everything(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert path.stat().st_size > 6_000_000
    assert peak_bytes < 3_000_000
    assert meant(found) == meant(rows())
