"""The services of `deploy/compose/compose.yaml` as processes of this machine.

Each gets exactly the command and the settings that its container would: those of the compose file,
of the image, and of the secrets that are made for it, with nothing replaced but addresses. As on
different machines, each has a data folder of its own.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from tests.deploy.files import COMPOSE, given_to, services, variables
from tests.e2e.running import Server, free_port, until
from tests.postgres import Postgres
from tests.s3 import S3Server
from tests.valkey import ValkeyServer

READY_S = 60.0
COMMAND_S = 60.0
OUTER = "https://domain.example.com"  # what DOMAIN is where the files are read


@dataclass(slots=True)
class Part:
    """One running container's worth: its process, where it listens, what it may write."""

    service: str
    process: subprocess.Popen[bytes]
    port: int
    data: Path
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(slots=True)
class Composed:
    """The whole installation.

    Args:
        addresses: what stands in the files, and what is there on this machine instead.
        beside: settings that an operator adds to all services.
    """

    folder: Path
    addresses: dict[str, str]
    beside: dict[str, str]
    api_port: int = field(default_factory=free_port)
    parts: list[Part] = field(default_factory=list)
    _replaced: set[str] = field(default_factory=set)

    def words(self, service: str, port: int) -> list[str]:
        """Return a service's command, listening elsewhere."""
        words = list(services()[service]["command"])
        for option, other in (("--host", "127.0.0.1"), ("--port", str(port))):
            if option in words:
                words[words.index(option) + 1] = other
        return words

    def environment(self, service: str, data: Path) -> dict[str, str]:
        """Return all that a service's container would find in its environment."""
        described = services()[service]
        found = {"PATH": os.environ["PATH"], "HOME": str(data)}
        found |= {name: text for name, text in variables().items() if name != "PATH"}
        for file in described["env_file"]:
            lines = (self.folder / file).read_text().splitlines()
            found |= dict(line.split("=", 1) for line in lines)
        found |= described["environment"]
        found = {name: self._here(str(text)) for name, text in found.items()}
        own = {"PORTICO_DATA": str(data), "PORTICO_HOST": "127.0.0.1"}
        return found | own | {"PORTICO_PORT": str(self.api_port)} | self.beside

    def start(self, service: str, *, queues: str | None = None, fault: str = "") -> Part:
        """Start a service on a machine of its own; of several workers each has its queues."""
        port = self.api_port if service == "api" else free_port()
        data = self._machine(service)
        words = self.words(service, port)
        if queues is not None:
            words[words.index("--queues") + 1] = queues
        log = data.with_suffix(".log")
        with log.open("wb") as written:
            process = subprocess.Popen(
                [sys.executable, "-m", "portico", *words],
                env=self.environment(service, data) | {"PORTICO_FAULT": fault},
                stdout=written,
                stderr=written,
                cwd=data,
            )
        part = Part(service, process, port, data, log)
        self.parts.append(part)
        return part

    def run(self, service: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a service's environment, as `docker compose exec` does."""
        data = next((p.data for p in self.parts if p.service == service), None)
        data = data or self._machine(service)
        return subprocess.run(
            [sys.executable, "-m", "portico", *words],
            env=self.environment(service, data),
            cwd=data,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def answer(self, service: str, *words: str) -> dict[str, Any]:
        """Run a command that has to succeed; returns the object it prints."""
        ran = self.run(service, *words, "--json")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return dict(json.loads(ran.stdout))

    def check(self, part: Part) -> subprocess.CompletedProcess[str]:
        """Run a container's health check: the compose file's, else the image's."""
        test = services()[part.service].get("healthcheck", {}).get("test")
        (image_test,) = given_to("HEALTHCHECK")
        _, program, *words = test or ["CMD", *json.loads(image_test.partition("CMD ")[2])]
        assert program == "portico"
        if "--port" in words:
            words[words.index("--port") + 1] = str(part.port)
        return self.run(part.service, *words)

    def wait_for(self, part: Part) -> None:
        """Wait until a service is ready."""
        for _ in until(READY_S):
            assert part.process.poll() is None, part.log.read_text()
            with suppress(requests.ConnectionError):
                if requests.get(f"{part.url}/readyz", timeout=15).status_code == 200:
                    return
        raise AssertionError(part.log.read_text())

    def server(self, part: Part, key: str) -> Server:
        return Server(part.process, part.url, key, part.data, part.log)

    def stop(self) -> None:
        for part in self.parts:
            if part.process.poll() is None:
                part.process.terminate()
        for part in self.parts:
            with suppress(subprocess.TimeoutExpired):
                part.process.wait(45)
            part.process.kill()
            part.process.wait(10)

    def unused(self) -> set[str]:
        """Return the addresses that no setting named: the files no longer say what was replaced."""
        return set(self.addresses) - self._replaced

    def _here(self, text: str) -> str:
        for old, new in self.addresses.items():
            if old in text:
                self._replaced.add(old)
                text = text.replace(old, new)
        return text

    def _machine(self, service: str) -> Path:
        """Make a data folder, as the image has it."""
        number = len(list(self.folder.glob(f"{service}-*")))
        data = self.folder / f"{service}-{number}"
        data.mkdir(mode=0o700)
        return data


@contextmanager
def composed(
    folder: Path, postgres: Postgres, valkey: ValkeyServer, s3: S3Server, **beside: str
) -> Iterator[Composed]:
    """Put the installation together, everything beside Portico running and nothing of it yet."""
    shutil.copy(COMPOSE / "make-secrets", folder)
    subprocess.run([folder / "make-secrets"], check=True, capture_output=True)
    secrets = (folder / "secrets" / "portico.env").read_text()
    (database,) = [
        line.partition("=")[2] for line in secrets.splitlines() if "DATABASE_URL" in line
    ]
    name = "composed"
    postgres.command(f"CREATE DATABASE {name}")  # empty: migrating it is a service's work
    installation = Composed(
        folder,
        {
            database: postgres.url(name),
            "http://s3:3900": s3.url,
            "valkey://valkey:6379": valkey.url,
        },
        beside,
    )
    installation.addresses[OUTER] = f"http://127.0.0.1:{installation.api_port}"
    (bucket,) = {
        str(each["environment"]["GARAGE_DEFAULT_BUCKET"])
        for each in services(ours=False).values()
        if "GARAGE_DEFAULT_BUCKET" in each.get("environment", {})
    }
    s3.make_bucket(bucket)
    try:
        yield installation
    finally:
        installation.stop()
        postgres.drop(postgres.url(name))
