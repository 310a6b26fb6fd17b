"""What every endpoint does: admit the caller, run the handler, answer in the dialect's shape."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from portico.core.errors import ErrorCode, Fault, PorticoError
from portico.core.views import Caller, TaskView
from portico.flows.admit import Bucket, admit
from portico.flows.gateway import Gateway

_log = structlog.get_logger("portico.http")
_answers = Counter("portico_http_answers_total", "HTTP answers.", ["dialect", "status"])
_seconds = Histogram("portico_http_seconds", "Seconds until an answer began.", ["dialect"])


@dataclass(frozen=True, slots=True)
class Rules:
    """What an operator may set for one dialect; None means no limit."""

    submits_per_minute: int | None = None
    reads_per_minute: int | None = None
    open_tasks_max: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)  # the dialect's own settings


@dataclass(slots=True)
class Call:
    """One request in the hands of a handler."""

    gateway: Gateway
    request: Request
    rules: Rules
    admitted: Caller | None

    @property
    def caller(self) -> Caller:
        """Who is asking; only on routes that admit callers."""
        assert self.admitted is not None
        return self.admitted


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One path and what answers each of its methods."""

    path: str  # Starlette's form, "/api/v1/tasks/{task_id}"
    methods: Mapping[str, Handler]
    admits: bool = True  # needs an API key
    reads: bool = False  # only reads, whatever the method; counts against that limit


@dataclass(frozen=True, slots=True)
class Dialect:
    """One wire format: which paths are its own, and how it says things."""

    name: str
    owns: Callable[[str], bool]
    routes: tuple[Route, ...]
    render_error: Callable[[PorticoError], Response]
    render_callback: Callable[[TaskView], bytes]
    rules: Rules


class Endpoint:
    """An ASGI application for one route of one dialect."""

    def __init__(self, gateway: Gateway, dialect: Dialect, route: Route) -> None:
        self._gateway = gateway
        self._dialect = dialect
        self._route = route
        self._handlers = dict(route.methods)
        if "GET" in self._handlers:
            self._handlers.setdefault("HEAD", self._handlers["GET"])
        self._seconds = _seconds.labels(dialect.name)
        self._answers: dict[int, Counter] = {}  # by status: looking one up by labels is slow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every error leaves in the dialect's own shape."""
        began_at = time.perf_counter()
        answer = await self._answer(Request(scope, receive, send))
        self._seconds.observe(time.perf_counter() - began_at)
        counter = self._answers.get(answer.status_code)
        if counter is None:
            counter = _answers.labels(self._dialect.name, answer.status_code)
            self._answers[answer.status_code] = counter
        counter.inc()
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            handler = self._handler(request.method)
            admitted = await self._admit(request) if self._route.admits else None
            call = Call(self._gateway, request, self._dialect.rules, admitted)
            return await handler(call)
        except PorticoError as error:
            log_error(error, dialect=self._dialect.name)
            answer = self._dialect.render_error(error)
            if error.code is ErrorCode.METHOD_NOT_ALLOWED:
                answer.headers["allow"] = ", ".join(sorted(self._handlers))
            return answer
        except Exception as error:  # noqa: BLE001 - edge of the process: no request may see a trace
            _log.error("unhandled", dialect=self._dialect.name, exc_info=error)
            return self._dialect.render_error(
                PorticoError(ErrorCode.INTERNAL, "Internal error, please try again")
            )

    def _handler(self, method: str) -> Handler:
        handler = self._handlers.get(method)
        if handler is None:
            raise PorticoError(ErrorCode.METHOD_NOT_ALLOWED, "Method not allowed")
        return handler

    async def _admit(self, request: Request) -> Caller:
        rules = self._dialect.rules
        reading = self._route.reads or request.method in {"GET", "HEAD"}
        per_minute = rules.reads_per_minute if reading else rules.submits_per_minute
        bucket = None
        if per_minute is not None:
            what = "read" if reading else "submit"
            bucket = Bucket(f"{self._dialect.name}:{what}", per_minute)
        return await admit(self._gateway, _authorization(request.scope), bucket)


def _authorization(scope: Scope) -> str | None:
    """Return the header as it came; a plain search costs a fifth of building all headers."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return str(value, "latin-1")
    return None


class NotFound:
    """An ASGI application for paths nobody serves, in the shape of the dialect that owns them."""

    def __init__(self, dialects: tuple[Dialect, ...]) -> None:
        self._dialects = dialects

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404, or what the dialect has in its place."""
        dialect = owner(self._dialects, scope["path"])
        error = PorticoError(ErrorCode.PATH_NOT_FOUND, "Not found")
        await dialect.render_error(error)(scope, receive, send)


def owner(dialects: tuple[Dialect, ...], path: str) -> Dialect:
    """Return the dialect a path belongs to: the first that owns it, else the last."""
    return next((each for each in dialects if each.owns(path)), dialects[-1])


def log_error(error: PorticoError, *, dialect: str) -> None:
    """Log an error at the level its fault deserves; client errors only when somebody looks."""
    log = _log.debug if error.fault is Fault.CLIENT else _log.warning
    log("refused", dialect=dialect, code=error.code, **error.facts)


def with_retry_after(answer: Response, error: PorticoError) -> Response:
    """Add Retry-After in whole seconds where the error says how long to wait."""
    if error.retry_after_s is not None:
        answer.headers["retry-after"] = str(max(1, round(error.retry_after_s)))
    return answer


def stamped(send: Send, request_id: str) -> Send:
    """Return a `send` that puts the request's id on the answer."""
    header = (b"x-request-id", request_id.encode())

    async def stamp(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), header]
        await send(message)

    return stamp
