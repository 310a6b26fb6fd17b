"""Many clients at once: raw requests over many connections to one server."""

import asyncio

from tests.e2e.running import Server

CONNECTIONS = 500
WITHIN_S = 60.0

Answer = tuple[int, bytes]


async def crowd(
    server: Server, requests: list[bytes], *, within_s: float = WITHIN_S
) -> list[Answer]:
    """Send every request, over many connections at once; returns status and body of each."""
    waiting = iter(requests)
    answers: list[Answer] = []
    host, _, port = server.url.removeprefix("http://").partition(":")

    async def work() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for request in waiting:  # shared by all
            writer.write(request)
            answers.append(await read_answer(reader))
        writer.close()

    async with asyncio.timeout(within_s):
        await asyncio.gather(*[work() for _ in range(CONNECTIONS)])
    return answers


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    return int(head[9:12]), await reader.readexactly(length)


def post(server: Server, path: str, body: bytes, **headers: str) -> bytes:
    given = {"host": "x", "authorization": f"Bearer {server.key}"} | headers
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items()]
    lines += ["content-type: application/json", f"content-length: {len(body)}"]
    return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode() + body
