"""What all emulators share: jobs that take their time, planned faults, files, a control panel.

`GET /_emulator` tells what happened, `POST /_emulator/faults` with `{"fault": …, "on": …,
"times": …}` plans a fault and `DELETE` there forgets them.
"""

import asyncio
import contextlib
import gzip
import itertools
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.resources import files
from typing import Any

import msgspec

from portico.core.clock import SECOND_MS, Clock, Instant, SystemClock
from portico.emulators.faults import MENU, Fault, On, Plans, When
from portico.emulators.forms import read_form
from portico.emulators.wire import Answer, Request, WireServer, json_answer

# Statuses that most vendors give to what they refuse.
STATUSES = {
    Fault.INVALID: 400,
    Fault.REFUSED: 400,
    Fault.BAD_KEY: 401,
    Fault.NO_CREDIT: 402,
    Fault.NO_MODEL: 404,
    Fault.RATE_LIMITED: 429,
    Fault.RATE_LIMITED_PLAIN: 429,
    Fault.BROKEN_BEFORE: 500,
    Fault.BROKEN_AFTER: 500,
    Fault.BUSY: 503,
}
SLOW_S = 3.0
TRICKLE_S = 0.2
PAGE = b"<!doctype html><title>Gateway</title><h1>It works</h1>"
Body = Mapping[str, Any]
Sign = Callable[[str, bytes], Mapping[str, str]]  # address and body of a callback -> its headers


class Phase(StrEnum):
    """How far a job is; each vendor has its own words."""

    QUEUED = "queued"
    RUNNING = "running"
    STRANGE = "strange"  # a state that no contract knows
    STOPPED = "stopped"
    FAILED = "failed"
    REFUSED = "refused"  # its result, by the rules for content
    DONE = "done"


class RefusedError(Exception):
    """The emulator refuses a request, as its vendor would: one of the menu's refusals, and why."""

    def __init__(self, fault: Fault, why: str = "") -> None:
        super().__init__(why or fault)
        self.fault = fault
        self.why = why


@dataclass(slots=True)
class Job:
    """One paid job."""

    id: str
    kind: str  # "video" or "image"
    body: Body
    created_at: Instant
    due_at: Instant
    fault: Fault | None = None
    is_stopped: bool = False
    reads_done: int = 0


@dataclass(frozen=True, slots=True)
class Received:
    """One call for a handler, and the fault that is planned for it."""

    request: Request
    names: tuple[str, ...]
    fault: Fault | None

    @property
    def body(self) -> dict[str, Any]:
        """The fields of a JSON body or a form, without nulls; a file of a form is its bytes.

        Raises:
            RefusedError: for anything else.
        """
        kind = self.request.headers.get("content-type", "")
        if kind.startswith("multipart/form-data"):
            return read_form(self.request.body, kind)
        try:
            body = msgspec.json.decode(self.request.body or b"{}", type=dict[str, Any])
        except msgspec.DecodeError:
            raise RefusedError(Fault.INVALID, "body") from None
        return {name: value for name, value in body.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Route:
    """One call that a vendor documents."""

    method: str
    path: str  # a pattern; its groups are the handler's arguments
    on: On
    handler: Callable[[Received], Awaitable[Answer]]
    needs_key: bool = True  # False: the address itself is the permission


@dataclass(slots=True)
class Emulator:
    """A service under `base_path`; a vendor adds its routes and its words.

    Args:
        clock: tells when jobs are done.
        latency_s: how long a job takes.
        key: the only key that is accepted; any when empty.
        slow_s: how long the fault `slow` takes.
    """

    clock: Clock = field(default_factory=SystemClock)
    latency_s: float = 0.0
    key: str = ""
    slow_s: float = SLOW_S
    name: str = ""
    base_path: str = ""
    key_word: str = "Bearer"  # before the key in `Authorization`
    id_name: str = "id"  # what the fault `no_id` leaves out
    plans: Plans = field(default_factory=Plans)
    jobs: dict[str, Job] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    begun: int = 0  # jobs and texts that somebody has to pay for
    port: int = 0
    _server: WireServer | None = None
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _sending: set[asyncio.Task[None]] = field(default_factory=set)

    # --- a vendor's own ---------------------------------------------------------------------

    def routes(self) -> list[Route]:
        """Return every call that this vendor answers."""
        raise NotImplementedError

    def refusal(self, fault: Fault, why: str) -> Answer:
        """Return how this vendor refuses: one of the menu's refusals in its own words."""
        raise NotImplementedError

    def opens(self, token: str) -> bool:
        """Return whether a caller's key is the right one; most vendors take it as it is."""
        return not self.key or token == self.key

    # --- the same for all -------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What a credential names as its base URL."""
        return f"http://{self.address}{self.base_path}"

    async def start(self, *, port: int = 0) -> None:
        """Listen on a port of the loopback interface; 0 takes a free one."""
        self._server = WireServer(self._answer)
        self.port = await self._server.start(port=port)

    async def stop(self) -> None:
        """Stop listening."""
        for sending in list(self._sending):
            sending.cancel()
        if self._server is not None:
            await self._server.stop()

    def new_job(self, received: Received, *, kind: str, prefix: str) -> Job:
        """Take a job, with the fault that is planned for it."""
        now = self.clock.now()
        number = next(self._numbers)
        job = Job(
            id=f"{prefix}{now // SECOND_MS}-{number:05d}",
            kind=kind,
            body=received.body,
            created_at=now,
            due_at=now + round(self.latency_s * SECOND_MS),
            fault=received.fault,
        )
        self.jobs[job.id] = job
        return job

    def known(self, received: Received) -> Job:
        """Return the job that a path names.

        Raises:
            RefusedError: for one that is unknown, or lost.
        """
        job = self.jobs.get(received.names[0])
        if job is None or job.fault is Fault.TASK_LOST:
            raise RefusedError(Fault.NO_MODEL, "id")
        return job

    def phase(self, job: Job) -> Phase:
        """Return how far a job is: half of its time it waits, half of it it runs."""
        if job.is_stopped:
            return Phase.STOPPED
        if job.fault is Fault.STRANGE_STATE:
            return Phase.STRANGE
        now = self.clock.now()
        if now < (job.created_at + job.due_at) // 2:
            return Phase.QUEUED
        if now < job.due_at or job.fault is Fault.TASK_STUCK:
            return Phase.RUNNING
        job.reads_done += 1
        if job.fault is Fault.TASK_RETURNS and job.reads_done > 1:
            return Phase.RUNNING
        return _ENDS.get(job.fault or Fault.SLOW, Phase.DONE)

    def file_url(self, job: Job) -> str | None:
        """Return where a job's result is to be found, or is said to be."""
        if job.fault is Fault.NO_URL:
            return None
        host = "10.0.0.1" if job.fault is Fault.PRIVATE_URL else self.address
        return f"http://{host}/_files/{job.id}.{'mp4' if job.kind == 'video' else 'png'}"

    def send_callback(
        self, url: str, job: Job, body: Callable[[], object], sign: Sign | None = None
    ) -> None:
        """Tell an address when a job is done, under the headers that a vendor signs with."""

        async def send() -> None:
            await asyncio.sleep(max(0, job.due_at - self.clock.now()) / SECOND_MS)
            told = msgspec.json.encode(body())
            with contextlib.suppress(OSError):
                await post_json(url, told, sign(url, told) if sign else {})

        sending = asyncio.create_task(send())
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _answer(self, request: Request) -> Answer:
        if request.path.startswith("/_emulator"):
            return self._panel(request)
        if request.path.startswith("/_files/"):
            return self._file(request.path.removeprefix("/_files/"))
        self.requests.append(request)
        path = request.path.removeprefix(self.base_path)
        for route in self.routes():
            found = re.fullmatch(route.path, path)
            if found and route.method == request.method and request.path.startswith(self.base_path):
                return await self._run(route, request, found.groups())
        return self.refusal(Fault.NO_MODEL, "no such path")

    async def _run(self, route: Route, request: Request, names: tuple[str, ...]) -> Answer:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if route.needs_key and (kind != self.key_word or not token or not self.opens(token)):
            return self.refusal(Fault.BAD_KEY, "")
        fault = self.plans.take(route.on, request.body.decode("utf-8", "replace"))
        when = MENU[fault].when if fault else None
        if fault and when is When.BEFORE:
            return self._before(fault)
        lasting = fault if when in {When.JOB, When.TEXT} else None
        try:
            answer = await route.handler(Received(request, names, lasting))
        except RefusedError as refused:
            return self.refusal(refused.fault, refused.why)
        if route.on in {On.BEGIN, On.TEXT}:
            self.begun += 1
        return self._after(fault, answer) if fault and when is When.AFTER else answer

    def _before(self, fault: Fault) -> Answer:
        if fault is Fault.CUT_BEFORE:
            return Answer(cut_at=-1)
        answer = self.refusal(fault, "")
        if fault is Fault.RATE_LIMITED:
            return msgspec.structs.replace(answer, headers=answer.headers | {"retry-after": "7"})
        return answer

    def _after(self, fault: Fault, answer: Answer) -> Answer:
        """Spoil an answer."""
        half = len(answer.body) // 2
        changes: dict[Fault, dict[str, Any]] = {
            Fault.SLOW: {"wait_s": self.slow_s},
            Fault.CUT_AFTER: {"cut_at": -1},
            Fault.CUT_INSIDE: {"cut_at": half},
            Fault.PAGE: {"body": PAGE, "headers": {"content-type": "text/html"}},
            Fault.EMPTY: {"body": b""},
            Fault.MALFORMED: {"body": answer.body[:half]},
            Fault.WRONG_TYPES: {"body": _with_lists(answer.body)},
            Fault.NO_ID: {"body": _without(answer.body, self.id_name)},
            Fault.FLOOD: {"is_flood": True},
            Fault.TRICKLE: {"trickle_s": TRICKLE_S},
            Fault.COMPRESSED: {
                "body": gzip.compress(answer.body),
                "headers": answer.headers | {"content-encoding": "gzip"},
            },
        }
        if fault is Fault.BROKEN_AFTER:
            return self.refusal(fault, "")
        return msgspec.structs.replace(answer, **changes[fault])

    def _file(self, name: str) -> Answer:
        job_id, _, suffix = name.rpartition(".")
        job = self.jobs.get(job_id)
        if job is None or job.fault is Fault.DEAD_URL:
            return Answer(status=404)
        body = sample(suffix)
        kind = {"content-type": "video/mp4" if suffix == "mp4" else "image/png"}
        if job.fault is Fault.PAGE_URL:
            body = PAGE
        elif job.fault is Fault.EMPTY_FILE:
            body = b""
        elif job.fault is Fault.BROKEN_FILE:
            body = body[: len(body) // 2]
        return Answer(body=body, headers=kind)

    def _panel(self, request: Request) -> Answer:
        if request.path == "/_emulator/faults" and request.method == "DELETE":
            self.plans.clear()
        elif request.path == "/_emulator/faults" and request.method == "POST":
            try:
                wish = msgspec.json.decode(request.body, type=_Wish)
            except msgspec.DecodeError as error:
                return json_answer({"error": str(error), "faults": list(Fault)}, status=400)
            self.plans.add(wish.fault, on=wish.on, times=wish.times)
        shown = {
            "name": self.name,
            "base_url": self.base_url,
            "begun": self.begun,
            "jobs": len(self.jobs),
            "planned": self.plans.shown(),
        }
        return json_answer(shown)


class _Wish(msgspec.Struct, frozen=True):
    fault: Fault
    on: On = On.BEGIN
    times: int = 1


_ENDS = {Fault.TASK_FAILED: Phase.FAILED, Fault.TASK_REFUSED: Phase.REFUSED}


def sample(suffix: str) -> bytes:
    """Return a small real file."""
    return (files("portico.providers") / "samples" / f"simulated.{suffix}").read_bytes()


def _with_lists(body: bytes) -> bytes:
    value = msgspec.json.decode(body or b"{}")
    return msgspec.json.encode({name: [each] for name, each in value.items()})


def _without(body: bytes, left_out: str) -> bytes:
    def copy(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: copy(each) for name, each in value.items() if name != left_out}

    return msgspec.json.encode(copy(msgspec.json.decode(body or b"{}")))


async def post_json(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """Send a callback over plain http to this machine, and nowhere else; return the answer."""
    address, _, path = url.removeprefix("http://").partition("/")
    host, _, port = address.partition(":")
    if host not in {"127.0.0.1", "localhost"}:
        return b""
    reader, writer = await asyncio.open_connection(host, int(port or "80"))
    shown = {
        "host": address,
        "content-type": "application/json",
        "content-length": str(len(body)),
        "connection": "close",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in (shown | dict(headers or {})).items())
    writer.write(f"POST /{path} HTTP/1.1\r\n{lines}\r\n".encode() + body)
    await writer.drain()
    answer = await reader.read(1_024)
    writer.close()
    return answer
