"""A started gateway behind a real server on a free port, for clients that want one."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from tests.contract.gateways import Wired


@dataclass(frozen=True, slots=True)
class Served:
    """A gateway that also answers at `url`, and a key of its account."""

    gateway: Wired
    url: str

    @property
    def key(self) -> str:
        return str(self.gateway.client.headers["authorization"]).removeprefix("Bearer ")

    async def run(self, *command: str, cwd: Path) -> str:
        """Run a client of its own; returns what it printed."""
        process = await asyncio.create_subprocess_exec(
            *command, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()


@asynccontextmanager
async def served(
    start: Callable[..., Awaitable[Wired]], *, port: int = 0, **given: Any
) -> AsyncIterator[Served]:
    """Start a gateway and serve it on this machine until the end of the `async with`."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        gateway = await start(public_url=url, **given)
        config = uvicorn.Config(gateway.app, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:  # noqa: ASYNC110 - it has no event to wait for
                await asyncio.sleep(0.005)
            yield Served(gateway, url)
        finally:
            server.should_exit = True
            await serving
