"""Server-sent events, as far as upstreams use them: the data of each event, nothing else."""

from collections.abc import AsyncIterator

EVENT_BYTES_MAX = 1_024 * 1_024


class TooLargeError(ValueError):
    """An event, or what came in all, is larger than any honest one."""


async def read_events(
    pieces: AsyncIterator[bytes], *, event_bytes_max: int = EVENT_BYTES_MAX
) -> AsyncIterator[bytes]:
    """Yield the data of each event; an event cut off by the end is left out.

    Raises:
        TooLargeError: for an event of more than `event_bytes_max`.
    """
    waiting = b""
    data: list[bytes] = []
    size_bytes = 0
    async for piece in pieces:
        *lines, waiting = (waiting + piece).split(b"\n")
        if len(waiting) > event_bytes_max:
            raise TooLargeError
        for line in map(_without_return, lines):
            if not line and data:
                yield b"\n".join(data)
                data, size_bytes = [], 0
            elif line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
                size_bytes += len(line)
                if size_bytes > event_bytes_max:
                    raise TooLargeError


def _without_return(line: bytes) -> bytes:
    return line.removesuffix(b"\r")
