"""An upstream that answers from a script, and jobs to give to a provider in front of it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from portico.core.jobs import Kind, MediaJob, Mode, Role, RouteClass
from portico.core.upstreams import Call, Reply, Upstream
from portico.providers.base import Assignment, Credential, InputFile

Answer = object | Reply


class ScriptedUpstream:
    """Implements `Upstream`: answers JSON from a script and remembers the calls."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.calls: list[Call] = []

    async def send(self, call: Call) -> Reply:
        self.calls.append(call)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Reply):
            return answer
        return Reply(status=200, body=msgspec.json.encode(answer))

    def listen(self, call: Call) -> AsyncIterator[bytes]:
        raise NotImplementedError

    async def save(self, call: Call, to: Path, *, size_max_bytes: int) -> int:
        self.calls.append(call)
        return size_max_bytes

    async def close(self) -> None:
        pass

    @property
    def body(self) -> Any:
        return self.calls[-1].body

    def fields(self) -> dict[str, str | None]:
        """Return the parts of the last form: texts as they are, files as their names."""
        return {part.name: part.text or part.file_name for part in self.calls[-1].parts}


def wired(
    build: Callable[[Credential, Upstream], Any], *answers: Answer
) -> tuple[Any, ScriptedUpstream]:
    """Return a provider and the scripted upstream behind it."""
    upstream = ScriptedUpstream(*answers)
    return build(Credential(name="main", base_url="", secret="k"), upstream), upstream


def refusal(status: int, body: object) -> Reply:
    return Reply(status=status, body=msgspec.json.encode(body))


def job(
    model: str,
    *inputs: InputFile,
    kind: Kind = Kind.VIDEO,
    prompt: str = "sea",
    route_class: RouteClass = RouteClass.AUTO,
    callback_url: str | None = None,
    **params: Any,
) -> Assignment:
    """Ask for a video or a picture."""
    asked = MediaJob(
        offering="o",
        model="m",
        kind=kind,
        mode=Mode.TEXT,
        prompt=prompt,
        params=params,
        route_class=route_class,
    )
    return Assignment(
        job=asked,
        stage="generate",
        model=model,
        inputs=inputs,
        folder=Path(),
        callback_url=callback_url,
    )


def linked(role: Role, name: str = "a.png") -> InputFile:
    """An input that anybody may fetch."""
    kind = {"mp4": "video/mp4", "mp3": "audio/mpeg"}.get(name.rpartition(".")[2], "image/png")
    return InputFile(role, kind, Path(name), url=f"https://a.example/{name}")
