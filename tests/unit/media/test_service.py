"""Assets in the database."""

from collections.abc import AsyncIterator
from functools import partial

import msgspec
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from portico import accounts
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import MediaInput, Role
from portico.media import queries, service
from portico.media.model import AssetRole, NewAsset
from portico.media.tables import assets
from portico.store import Statement, Store, Tx, open_store

NOW = 1_800_000_000_000


def asset(name: str, **changes: object) -> NewAsset:
    made = NewAsset(
        id=name,
        account_id="acc_a",
        task_id=7,
        role=AssetRole.OUTPUT,
        media_type="video/mp4",
        size_bytes=10,
        width=1280,
        height=720,
        duration_ms=5_000,
        storage_key=f"key of {name}",
        created_at=NOW,
        expires_at=NOW + 1_000,
    )
    return msgspec.structs.replace(made, **changes)


def upload(name: str, **changes: object) -> NewAsset:
    return asset(name, task_id=None, role=AssetRole.INPUT, media_type="image/png", **changes)


def new_account(tx: Tx, *, name: str) -> None:
    accounts.create(
        tx,
        account_id=f"acc_{name}",
        email=f"{name}@a.example",
        is_operator=False,
        now=NOW,
    )


@pytest.fixture
async def store(database) -> AsyncIterator[Store]:
    opened = await open_store(database)
    for name in ("a", "b"):
        await opened.write(partial(new_account, name=name))
    yield opened
    await opened.close()


@pytest.fixture
def recorded(store):
    """Record assets and return the store."""

    async def record(*given: NewAsset) -> Store:
        for one in given:
            await store.write(lambda tx, one=one: service.record(tx, one))
        return store

    return record


async def test_asset_comes_back_as_it_was_recorded(recorded):
    store = await recorded(asset("asset_1"))
    found = await store.read(lambda tx: service.find(tx, "asset_1", "acc_a"))
    assert found is not None
    assert msgspec.structs.asdict(found) == {
        **msgspec.structs.asdict(asset("asset_1")),
        "deleted_at": None,
    }


async def test_recording_twice_changes_nothing(recorded):
    store = await recorded(asset("asset_1"), asset("asset_1", size_bytes=99))
    found = await store.read(lambda tx: service.find_any(tx, "asset_1"))
    assert found.size_bytes == 10


async def test_foreign_asset_is_as_unknown_as_a_missing_one(recorded):
    store = await recorded(asset("asset_1"))
    assert await store.read(lambda tx: service.find(tx, "asset_1", "acc_b")) is None
    assert await store.read(lambda tx: service.find(tx, "asset_2", "acc_a")) is None
    assert await store.read(lambda tx: service.find_any(tx, "asset_1")) is not None


async def test_task_has_its_assets_in_order(recorded):
    store = await recorded(
        asset("asset_2", created_at=NOW + 1), asset("asset_1"), asset("asset_3", task_id=8)
    )
    found = await store.read(lambda tx: service.of_task(tx, 7))
    assert [one.id for one in found] == ["asset_1", "asset_2"]


def inputs(*names: str) -> tuple[MediaInput, ...]:
    return tuple(MediaInput(role=Role.FIRST_FRAME, asset_id=name) for name in names)


async def test_uploads_are_attached_once_and_may_be_attached_again(recorded):
    store = await recorded(upload("asset_1"))
    by_url = MediaInput(role=Role.LAST_FRAME, url="https://a.example/x.png")
    for _ in range(2):
        await store.write(
            lambda tx: service.attach_inputs(
                tx, (*inputs("asset_1"), by_url), account_id="acc_a", task_id=9
            )
        )
    found = await store.read(lambda tx: service.of_task(tx, 9))
    assert [(one.id, one.input_role) for one in found] == [("asset_1", Role.FIRST_FRAME)]


@pytest.mark.parametrize("name", ["unknown", "foreign", "output", "taken", "gone"])
async def test_what_is_no_free_upload_of_the_account_is_refused(recorded, name):
    store = await recorded(
        upload("foreign", account_id="acc_b"),
        asset("output", task_id=None),
        msgspec.structs.replace(upload("taken"), task_id=5),
        upload("gone"),
    )
    await store.write(lambda tx: service.mark_deleted(tx, ["gone"], now=NOW))
    with pytest.raises(PorticoError) as caught:
        await store.write(
            lambda tx: service.attach_inputs(tx, inputs(name), account_id="acc_a", task_id=9)
        )
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert await store.read(lambda tx: service.of_task(tx, 9)) == []


async def test_assets_expire_oldest_first_and_once(recorded):
    store = await recorded(
        asset("asset_1", expires_at=NOW + 2),
        asset("asset_2", expires_at=NOW + 1),
        asset("asset_3", expires_at=NOW + 3),
    )
    due = await store.read(lambda tx: service.due_for_expiry(tx, now=NOW + 2))
    assert [one.id for one in due] == ["asset_2", "asset_1"]
    one = await store.read(lambda tx: service.due_for_expiry(tx, now=NOW + 2, limit=1))
    assert [each.id for each in one] == ["asset_2"]
    ids = ["asset_1", "asset_2", "asset_9"]
    assert await store.write(lambda tx: service.mark_deleted(tx, ids, now=NOW + 2)) == 2
    assert await store.write(lambda tx: service.mark_deleted(tx, ids, now=NOW + 9)) == 0
    assert await store.read(lambda tx: service.due_for_expiry(tx, now=NOW + 2)) == []
    gone = await store.read(lambda tx: service.find_any(tx, "asset_1"))
    assert (gone.is_stored, gone.deleted_at) == (False, NOW + 2)


async def test_upload_that_no_task_took_is_due_early(recorded):
    store = await recorded(upload("asset_1"), asset("asset_2"))
    due = await store.read(lambda tx: service.due_for_expiry(tx, now=NOW, orphans_before=NOW + 1))
    assert [one.id for one in due] == ["asset_1"]


async def test_files_without_a_record_are_told_apart(recorded):
    store = await recorded(asset("asset_1"))
    keys = ["key of asset_1", "key of nobody"]
    assert await store.read(lambda tx: service.unrecorded(tx, keys)) == ["key of nobody"]


def test_statements_and_table_compile_for_postgres():
    dialect = postgresql.dialect()
    assert "BIGINT" in str(CreateTable(assets).compile(dialect=dialect))
    statements = [each for each in vars(queries).values() if isinstance(each, Statement)]
    assert len(statements) == 10
    assert all(each.compiled(dialect)[0] for each in statements)
