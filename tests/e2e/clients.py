"""Clients that go on asking while something happens to the processes that answer them."""

import contextlib
import threading
from collections.abc import Iterator

import requests

from tests.e2e.running import Server

PICTURE = {"model": "portico/picture", "prompt": "a lake"}  # one credit


def _load(
    server: Server,
    asked: dict[str, str],
    stop: threading.Event,
    failures: list[str],
    accepted: list[str],
) -> None:
    """Ask on and on over kept connections, as clients do."""
    with requests.Session() as session:
        while not stop.is_set():
            try:
                answer = session.post(
                    f"{server.url}/portico/v1/tasks",
                    json=asked,
                    headers=server.headers,
                    timeout=30,
                )
            except requests.RequestException as error:
                failures.append(repr(error))
                continue
            if answer.status_code == 202:
                accepted.append(answer.json()["task"]["id"])
            else:
                failures.append(f"{answer.status_code} {answer.text}")


@contextlib.contextmanager
def under_load(
    server: Server, clients: int = 8, asked: dict[str, str] = PICTURE
) -> Iterator[tuple[list[str], list[str]]]:
    """Let clients ask meanwhile; yields what failed and what was accepted."""
    stop = threading.Event()
    failures: list[str] = []
    accepted: list[str] = []
    crowd = [
        threading.Thread(target=_load, args=(server, asked, stop, failures, accepted))
        for _ in range(clients)
    ]
    for each in crowd:
        each.start()
    try:
        yield failures, accepted
    finally:
        stop.set()
        for each in crowd:
            each.join(60)


def settled(server: Server, accepted: list[str], *, within_s: float = 60) -> list[str]:
    """Wait until all have ended; returns their states."""
    return [server.ended(task_id, within_s=within_s)["state"] for task_id in accepted]
