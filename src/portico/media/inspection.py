"""Look into files of strangers without decoding a byte in this process (M2 to M5)."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from portico.core.errors import ErrorCode, PorticoError
from portico.media.child.refusal import Refusal

ANSWER_BYTES_MAX = 64 * 1_024
MIB = 1_024 * 1_024
MESSAGES = {
    Refusal.BROKEN: "The file is damaged or not of an accepted kind",
    Refusal.DIMENSIONS: "The picture or video has too many pixels",
    Refusal.DURATION: "The video or sound is too long",
    Refusal.FRAMES: "The animation has too many frames",
    Refusal.FRAME_RATE: "The video has too many frames a second",
}


class MediaLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a file may be, and what looking into it may cost."""

    pixels_max: int = 50_000_000
    side_max: int = 16_384
    frames_max: int = 300  # of an animated picture
    film_side_max: int = 4_096
    film_s_max: int = 60
    fps_max: int = 60
    sound_s_max: int = 600
    written_bytes: int = 64 * MIB
    picture_memory_bytes: int = 512 * MIB
    picture_cpu_s: int = 10
    picture_s: float = 20  # wall clock
    film_memory_bytes: int = 2_048 * MIB
    film_cpu_s: int = 120
    film_s: float = 150  # wall clock


class Facts(msgspec.Struct, frozen=True):
    """What is known of a file; None where its kind has no such thing."""

    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    fps: float | None = None
    has_audio: bool = False
    frames: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """What the child says; exactly one is set."""

    facts: Facts | None = None
    refusal: Refusal | None = None


class Inspector:
    """Starts children, few at once, each in its own group, folder and limits."""

    def __init__(self, limits: MediaLimits | None = None, *, at_once: int = 2) -> None:
        self._limits = limits or MediaLimits()
        self._turns = asyncio.Semaphore(at_once)

    async def inspect(self, path: Path, media_type: str, *, cover_to: Path | None = None) -> Facts:
        """Return the facts of a file; may write a cover as JPEG of at most 640 pixels a side.

        `media_type` is what `sniff` said. Safe to repeat.

        Raises:
            PorticoError: MEDIA_REJECTED, whatever became of the child.
        """
        try:
            facts = await self._ask("inspect", path, media_type, cover_to=cover_to)
        except BaseException:
            if cover_to is not None:
                cover_to.unlink(missing_ok=True)  # noqa: ASYNC240 - one call
            raise
        return facts

    async def strip(self, path: Path, media_type: str, *, to: Path) -> None:
        """Write a picture to a new file without metadata and trailing bytes.

        Raises:
            PorticoError: MEDIA_REJECTED.
        """
        try:
            await self._ask("strip", path, media_type, to=to)
        except BaseException:
            to.unlink(missing_ok=True)  # noqa: ASYNC240 - one call
            raise

    async def _ask(self, verb: str, path: Path, media_type: str, **paths: Path | None) -> Facts:
        is_picture = media_type.startswith("image/")
        body = _request(verb, media_type, {"path": path, **paths}, self._limits)
        wall_s = self._limits.picture_s if is_picture else self._limits.film_s
        async with self._turns:
            raw, status = await run_child(body, wall_s=wall_s)
        return _facts(raw, status)


def _request(
    verb: str, media_type: str, paths: Mapping[str, Path | None], limits: MediaLimits
) -> bytes:
    is_picture = media_type.startswith("image/")
    own_limits = {
        "memory_bytes": limits.picture_memory_bytes if is_picture else limits.film_memory_bytes,
        "cpu_s": limits.picture_cpu_s if is_picture else limits.film_cpu_s,
    }
    return msgspec.json.encode(
        {
            "verb": verb,
            "media_type": media_type,
            "limits": msgspec.structs.asdict(limits) | own_limits,
            **{name: str(path.absolute()) if path else None for name, path in paths.items()},
        }
    )


async def run_child(body: bytes, *, wall_s: float) -> tuple[bytes, int | None]:
    """Run one child to its end and return what it said and its exit status.

    Its whole group is killed when the time is up, and also when nobody waits any more.
    """
    with tempfile.TemporaryDirectory(prefix="portico-child-") as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "portico.media.child"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
            cwd=folder,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(wall_s):
                raw = await _exchange(process, body)
                return raw, await process.wait()
        except TimeoutError:
            return b"", None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _exchange(process: asyncio.subprocess.Process, body: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(ConnectionError):  # it died before it listened
        process.stdin.write(body)
        await process.stdin.drain()
    process.stdin.close()
    answer = b""
    while len(answer) <= ANSWER_BYTES_MAX:
        piece = await process.stdout.read(ANSWER_BYTES_MAX)
        if not piece:
            return answer
        answer += piece
    return b""


def _facts(raw: bytes, status: int | None) -> Facts:
    try:
        answer = msgspec.json.decode(raw, type=Answer)
    except msgspec.MsgspecError:
        answer = Answer(refusal=Refusal.BROKEN)
    if status == 0 and answer.facts is not None:
        return answer.facts
    refusal = answer.refusal or Refusal.BROKEN
    raise PorticoError(
        ErrorCode.MEDIA_REJECTED, MESSAGES[refusal], refusal=refusal.value, status=status
    )
