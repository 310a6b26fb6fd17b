"""Files customers send are stored, belong to them, and go when no task takes them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from portico.core.clock import HOUR_MS
from portico.core.errors import ErrorCode, PorticoError
from portico.core.views import Caller
from portico.flows import administer, sweep, upload
from portico.flows.download import by_link
from portico.media import service as media
from portico.media.model import Asset
from portico.media.uploads import UploadLimits
from tests.contract.gateways import PICTURE, VIDEO, Wired, started

SMALL = UploadLimits(picture_bytes_max=len(PICTURE), film_bytes_max=len(VIDEO))


@pytest.fixture
async def wired(tmp_path: Path, database: str) -> AsyncIterator[Wired]:
    async with started(tmp_path, database_url=database) as gateway:
        yield gateway


@pytest.fixture
async def caller(wired: Wired) -> Caller:
    account = (await administer.show_account(wired.desk, wired.email)).account
    return Caller(account_id=account.id, key_id="key_1", email=account.email, status="active")


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def find(wired: Wired, asset_id: str, account_id: str) -> Asset | None:
    return await wired.gateway.store.read(lambda tx: media.find(tx, asset_id, account_id))


async def test_upload_is_stored_as_an_input_without_a_task(wired, caller):
    asset_id = await upload.upload(wired.gateway, caller, pieces(VIDEO[:100], VIDEO[100:]))

    asset = await find(wired, asset_id, caller.account_id)
    assert asset is not None
    assert (asset.role, asset.task_id, asset.media_type) == ("input", None, "video/mp4")
    opened = await by_link(wired.gateway, asset_id)
    stored = [piece async for piece in await opened.read(0, asset.size_bytes)]
    assert b"".join(stored) == VIDEO


async def test_upload_of_another_account_is_unknown(wired, caller):
    asset_id = await upload.upload(wired.gateway, caller, pieces(PICTURE))

    assert await find(wired, asset_id, "acc_other") is None


async def test_work_folder_is_left_empty(wired, caller):
    await upload.upload(wired.gateway, caller, pieces(PICTURE))
    with pytest.raises(PorticoError):
        await upload.upload(wired.gateway, caller, pieces(b"<html>"))

    assert list(wired.gateway.work_folder.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (PICTURE + b"\0", ErrorCode.PAYLOAD_TOO_LARGE),
        (VIDEO + b"\0", ErrorCode.PAYLOAD_TOO_LARGE),
        (b"<html>", ErrorCode.MEDIA_REJECTED),
        (b"", ErrorCode.MEDIA_REJECTED),
    ],
)
async def test_unusable_file_is_refused_and_not_stored(wired, caller, given, code):
    with pytest.raises(PorticoError) as caught:
        await upload.upload(wired.gateway, caller, pieces(given), limits=SMALL, param="first_frame")

    assert (caught.value.code, caught.value.param) == (code, "first_frame")
    files = wired.app.settings.folder / "files"
    assert [path for path in files.rglob("*") if path.is_file()] == []


async def test_text_that_is_not_base64_is_refused(wired, caller):
    with pytest.raises(PorticoError) as caught:
        await upload.upload(wired.gateway, caller, "not base64!")

    assert caught.value.code is ErrorCode.MEDIA_REJECTED


async def test_upload_no_task_takes_is_swept_after_an_hour(wired, caller):
    asset_id = await upload.upload(wired.gateway, caller, pieces(PICTURE))

    await sweep.sweep_files(wired.gateway)
    young = await find(wired, asset_id, caller.account_id)
    wired.clock.jump(2 * HOUR_MS)
    await sweep.sweep_files(wired.gateway)
    old = await find(wired, asset_id, caller.account_id)

    assert young is not None
    assert young.is_stored
    assert old is None or not old.is_stored
