"""Where files lie: a local folder, or a bucket by URL; the same verbs for both."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from portico.core.clock import Instant
from portico.media.keys import FANS, storage_key

PROXY, SIGNED = "proxy", "signed"

__all__ = ["FANS", "Storage", "Upkeep", "open_storage", "storage_key"]


class Upkeep(Protocol):
    """What readiness and the sweeper want of a storage."""

    async def check(self) -> None:
        """Prove that a file could be written now.

        Raises:
            PorticoError: OVERLOADED.
        """

    async def keys_before(self, before: Instant, *, fan: str) -> list[str]:
        """Return the keys under one of `FANS` written before a moment.

        Files whose writing was cut off before that moment are removed on the way.
        """


class Storage(Upkeep, Protocol):
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

    async def link(self, key: str, *, method: str, within_s: int) -> str | None:
        """Return a URL under which anybody may GET or HEAD a file for so many seconds.

        Whether the file is there is not looked at. None where there is no such link: the file
        has to be read and passed on.

        Raises:
            PorticoError: OVERLOADED when credentials for signing cannot be had now.
        """

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove files; those already gone are passed over."""

    async def close(self) -> None:
        """Let go of threads and descriptors."""


def open_storage(url: str, *, links: str = PROXY) -> Storage:
    """Open `file:///folder`, or a bucket such as `s3://bucket/prefix`, `gs://…`, `az://…`.

    Args:
        url: where files lie. Nothing is connected to yet.
        links: `proxy`, or `signed` for links of the bucket's own.

    Raises:
        ValueError: for what cannot be opened, without credentials in its text.
    """
    if links not in {PROXY, SIGNED} or (links == SIGNED and url.startswith("file://")):
        message = "PORTICO_STORAGE_LINKS is proxy, or signed where files lie in a bucket"
        raise ValueError(message)
    if url.startswith("file://"):
        from portico.media.folder import FolderStorage  # noqa: PLC0415 - one of two is needed

        return FolderStorage(Path(url.removeprefix("file://")))
    from portico.media.bucket import BucketStorage  # noqa: PLC0415 - 40 ms for those who need it

    return BucketStorage.from_url(url, signs=links == SIGNED)
