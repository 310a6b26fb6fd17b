"""The place of one process among several on one port."""

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Berth:
    """What the parent gives a process: three open files, by number."""

    listener: int
    ready: int  # a byte written here says that it takes connections
    lifeline: int  # ends when the parent does

    @classmethod
    def read(cls, text: str) -> "Berth":
        """Read what `text` wrote.

        Raises:
            ValueError: it is something else.
        """
        listener, ready, lifeline = map(int, text.split(","))
        return cls(listener, ready, lifeline)

    @property
    def text(self) -> str:
        """The same on a command line."""
        return f"{self.listener},{self.ready},{self.lifeline}"

    def take_listener(self) -> socket.socket:
        """Return the socket that all processes share."""
        return socket.socket(fileno=self.listener)

    def announce(self) -> None:
        """Tell the parent that this process takes connections."""
        os.write(self.ready, b"!")
        os.close(self.ready)

    def watch(self, orphaned: Callable[[], None]) -> None:
        """Call `orphaned` once the parent has gone, however it went; inside an event loop."""
        loop = asyncio.get_running_loop()

        def gone() -> None:
            loop.remove_reader(self.lifeline)
            orphaned()

        loop.add_reader(self.lifeline, gone)
