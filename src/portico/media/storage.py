"""Where files lie: a local folder, or a bucket by URL; the same verbs for both."""

import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from portico.core.clock import Instant
from portico.core.ids import AssetId
from portico.media.sniff import SUFFIXES

CHUNK_BYTES = 256 * 1_024
FANS = "abcdefghijklmnopqrstuvwxyz234567"  # first letters of ids, so first parts of keys

_ASSET_ID = re.compile(r"[a-z]{1,16}_([a-z2-7])([a-z2-7])[a-z2-7]{10,40}")
_KEY = re.compile(r"[a-z2-7]/[a-z2-7]/[a-z]{1,16}_[a-z2-7]{12,42}\.[a-z0-9]{3,4}")


class Storage(Protocol):
    """Keeps whole files under keys; every failure of its own is OVERLOADED."""

    async def put_file(self, path: Path, key: str) -> None:
        """Take a file over for good; it is durable when this returns.

        The file must be the caller's own: it may be moved, and be gone from `path`. Safe to
        repeat with an equal file.

        Raises:
            PorticoError: OVERLOADED when the storage cannot take it now.
        """

    async def open_range(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Return bytes `start` to before `end` in pieces of at most 256 KiB, as they are read.

        Raises:
            PorticoError: RESULT_EXPIRED when there is no such file, OVERLOADED.
        """

    async def size(self, key: str) -> int:
        """Return the size of a file in bytes.

        Raises:
            PorticoError: RESULT_EXPIRED when there is no such file, OVERLOADED.
        """

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove files; those already gone are passed over."""

    async def check(self) -> None:
        """Prove that a file could be written now; for readiness.

        Raises:
            PorticoError: OVERLOADED.
        """

    async def keys_before(self, before: Instant, *, fan: str) -> list[str]:
        """Return the keys under one of `FANS` written before a moment, for the sweeper.

        Files whose writing was cut off before that moment are removed on the way.
        """

    async def close(self) -> None:
        """Let go of threads and descriptors."""


def storage_key(asset_id: AssetId, media_type: str) -> str:
    """Return where an asset lies: two levels of folders by the first letters of its id.

    Nothing but the id and our own suffix for the detected type goes into a key.
    """
    found = _ASSET_ID.fullmatch(asset_id)
    if found is None:
        message = "not an asset id"
        raise ValueError(message)
    return f"{found[1]}/{found[2]}/{asset_id}.{SUFFIXES[media_type]}"


def is_key(text: str) -> bool:
    """Whether a text has the shape of a key; nothing else ever reaches a folder or a bucket."""
    return _KEY.fullmatch(text) is not None


def open_storage(url: str) -> Storage:
    """Open `file:///folder`, or a bucket such as `s3://bucket/prefix`, `gs://…`, `az://…`."""
    if url.startswith("file://"):
        from portico.media.folder import FolderStorage  # noqa: PLC0415 - one of two is needed

        return FolderStorage(Path(url.removeprefix("file://")))
    from portico.media.bucket import BucketStorage  # noqa: PLC0415 - 40 ms for those who need it

    return BucketStorage.from_url(url)
