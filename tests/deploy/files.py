"""The files of `deploy/` and the Dockerfile, as these tests read them."""

import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.architecture.house import DOCS, ROOT

DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose"
SYSTEMD = DEPLOY / "systemd"
KUBERNETES = DEPLOY / "kubernetes"
PAGE = DOCS / "deploy.md"

Document = dict[str, Any]
_SIZES = {"k": 2**10, "m": 2**20, "g": 2**30, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def everything() -> list[Path]:
    """Return every file that says how to deploy, the page about them included."""
    inside = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
    return [ROOT / "Dockerfile", *inside, PAGE]


@cache
def stages() -> list[list[tuple[str, str]]]:
    """Return the Dockerfile's stages: instructions and what they are given, lines joined."""
    text = re.sub(
        r"\\\n\s*", "", re.sub(r"^#.*\n", "", read(ROOT / "Dockerfile"), flags=re.MULTILINE)
    )
    found: list[list[tuple[str, str]]] = [[]]  # what stands before the first stage comes first
    for line in filter(None, text.splitlines()):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            found.append([])
        found[-1].append((word, rest.strip()))
    return found


def given_to(word: str, *, stage: int = -1) -> list[str]:
    """Return what each such instruction of a stage is given."""
    return [rest for found, rest in stages()[stage] if found == word]


def variables(stage: int = -1) -> dict[str, str]:
    """Return the environment a stage sets."""
    words = [word for rest in given_to("ENV", stage=stage) for word in shlex.split(rest)]
    return dict(word.split("=", 1) for word in words)


@cache
def compose() -> Document:
    """Return the compose file with its defaults filled in."""
    text = re.sub(
        r"\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}",
        lambda match: match[2] or f"{match[1].lower()}.example.com",
        read(COMPOSE / "compose.yaml"),
    )
    return dict(yaml.safe_load(text))


def services(*, ours: bool | None = None) -> dict[str, Document]:
    """Return the compose file's services; `ours` tells Portico's from what stands beside it."""
    return {
        name: service
        for name, service in compose()["services"].items()
        if ours in {None, service["image"].startswith("portico:")}
    }


@cache
def manifests() -> list[Document]:
    """Return every object of the Kubernetes files, as it stands before kustomize."""
    return [
        each
        for path in sorted(KUBERNETES.rglob("*.yaml"))
        if path.name != "kustomization.yaml"
        for each in yaml.safe_load_all(read(path))
    ]


def objects(kind: str, among: list[Document] | None = None) -> dict[str, Document]:
    """Return the objects of one kind, by name."""
    among = manifests() if among is None else among
    return {each["metadata"]["name"]: each for each in among if each["kind"] == kind}


def pods(among: list[Document] | None = None) -> dict[str, Document]:
    """Return the pod templates of every workload, by the workload's name."""
    found = objects("Deployment", among) | objects("Job", among)
    return {name: each["spec"]["template"] for name, each in found.items()}


def containers() -> dict[str, Document]:
    """Return the one container of every workload."""
    return {name: pod["spec"]["containers"][0] for name, pod in pods().items()}


@cache
def units() -> dict[str, dict[str, list[str]]]:
    """Return each systemd unit's `[Service]` part; a key may be given several times."""
    return {path.name: _service_part(read(path)) for path in sorted(SYSTEMD.glob("*.service"))}


@cache
def several() -> dict[str, list[str]]:
    """Return what makes the server's unit several processes, for those who want them."""
    return _service_part(read(SYSTEMD / "portico-several.conf"))


def _service_part(text: str) -> dict[str, list[str]]:
    part = text.partition("[Service]\n")[2].partition("\n[")[0]
    found: dict[str, list[str]] = {}
    for line in part.splitlines():
        if line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Yield where each of Portico's command lines stands, and its words after `portico`."""
    yield "Dockerfile CMD", json.loads(given_to("CMD")[0])
    yield "Dockerfile HEALTHCHECK", _ours(given_to("HEALTHCHECK")[0].partition("CMD ")[2])
    for name, service in services(ours=True).items():
        yield f"compose {name}", service["command"]
        if check := service.get("healthcheck", {}).get("test"):
            yield f"compose {name}'s check", _ours(check[1:])
    for name, unit in units().items():
        (line,) = unit["ExecStart"]
        yield name, shlex.split(line)[1:]
    yield "portico-several.conf", shlex.split(several()["ExecStart"][-1])[1:]
    for name, container in containers().items():
        yield f"Kubernetes {name}", container["args"]
    for line in blocks("bash"):
        if match := re.search(r"(?:^|[ /])portico ((?:account|key|serve|worker|migrate) .*)", line):
            yield "deploy.md", shlex.split(match[1])


def blocks(language: str) -> list[str]:
    """Return the lines of the page's blocks in one language, those that go on joined."""
    found = re.findall(rf"^```{language}\n(.*?)^```", read(PAGE), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"\\\n\s*", "", "".join(found)).splitlines()


def seconds(text: str) -> float:
    """Read `45s`, `2m` or a bare number."""
    return float(text[:-1]) * 60 if text.endswith("m") else float(text.removesuffix("s"))


def size_bytes(text: str) -> int:
    """Read `5g`, `224MiB` or `5Gi`."""
    number, unit = re.fullmatch(r"(\d+)(\w+?)B?", text).groups()  # type: ignore[union-attr]
    return int(number) * _SIZES[unit]


def _ours(text: str | list[str]) -> list[str]:
    program, *words = json.loads(text) if isinstance(text, str) else text
    assert program == "portico"
    return [str(word) for word in words]
