"""The door: look at, download from, and post to URLs that strangers named."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urljoin

import msgspec
from aiohttp import ClientError, ClientResponse, hdrs

from portico.core.clock import Clock
from portico.core.ids import AccountId
from portico.outbound.address import HostPort, Target, parse_target
from portico.outbound.budgets import OutboundLimits, Pace, Turns
from portico.outbound.dial import Dialler, Resolver
from portico.outbound.hosts import is_share_page
from portico.outbound.refusals import Reason, not_direct, unreachable
from portico.outbound.saving import save
from portico.outbound.waiting import read_retry_after

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = 200


class Peek(msgspec.Struct, frozen=True):
    """The beginning of what lies behind a URL; types and lengths are only the host's claim."""

    status: int
    head: bytes
    declared_type: str
    length: int | None


class PostAnswer(msgspec.Struct, frozen=True):
    """What a webhook's receiver answered; `body` is its beginning."""

    status: int
    retry_after_s: int | None
    body: bytes


class Door:
    """Fetches from and posts to addresses named by anyone but the operator.

    Args:
        private_hosts: exact pairs of host and port that may be private (S7).
        limits: what one fetch may cost.
        clock: reads the dates in `Retry-After`.
        resolver: turns a name and a port into addresses; the system's own by default.
    """

    def __init__(
        self,
        private_hosts: frozenset[HostPort] = frozenset(),
        *,
        limits: OutboundLimits | None = None,
        clock: Clock,
        resolver: Resolver | None = None,
    ) -> None:
        self._listed = frozenset((host.lower().strip("[]"), port) for host, port in private_hosts)
        self._limits = limits or OutboundLimits()
        self._clock = clock
        self._dialler = Dialler(self._limits, resolver)
        self._turns = Turns(self._limits)

    async def peek(
        self, url: str, *, bytes_max: int = 4_096, account_id: AccountId | None = None
    ) -> Peek:
        """Read the first bytes behind a URL.

        Raises:
            PorticoError: MEDIA_UNREACHABLE (see `is_indirect` for share pages), OVERLOADED.
        """
        async with self._turns.take(account_id), self._follow(url) as answer:
            head = b""
            async for piece in self._pieces(answer):
                head += piece
                if len(head) >= bytes_max:
                    break
            return Peek(answer.status, head[:bytes_max], answer.content_type, answer.content_length)

    async def download(
        self, url: str, to: Path, *, size_max_bytes: int, account_id: AccountId | None = None
    ) -> int:
        """Write what lies behind a URL to a new file and return its size in bytes.

        The file is gone again when anything fails.

        Raises:
            PorticoError: MEDIA_UNREACHABLE (see `is_indirect` for share pages), OVERLOADED when
                no turn or no disk space was left.
        """
        async with self._turns.take(account_id), self._follow(url) as answer:
            if (answer.content_length or 0) > size_max_bytes:
                raise unreachable(Reason.SIZE, size_bytes=answer.content_length)
            return await save(self._pieces(answer), to, size_max_bytes=size_max_bytes)

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float = 15
    ) -> PostAnswer:
        """Send a webhook; redirects are answers like any other and are not followed.

        Raises:
            PorticoError: MEDIA_UNREACHABLE when no answer came.
        """
        target = self._target(url)
        with _refusing_trouble(target.host):
            async with (
                asyncio.timeout(timeout_s),
                self._dialler.exchange(target, method="POST", headers=headers, body=body) as answer,
            ):
                self._check_headers(answer)
                head = b""
                async for piece in self._pieces(answer):
                    head += piece
                    if len(head) >= self._limits.answer_bytes_max:
                        break
                asked = answer.headers.get(hdrs.RETRY_AFTER, "")
                retry_after_s = read_retry_after(asked, self._clock)
                head = head[: self._limits.answer_bytes_max]
                return PostAnswer(answer.status, retry_after_s, head)

    async def check_target(self, url: str) -> None:
        """Resolve and check a URL without connecting; for the registration of webhooks (W5).

        Raises:
            PorticoError: MEDIA_UNREACHABLE.
        """
        target = self._target(url)
        with _refusing_trouble(target.host):
            await self._dialler.addresses(target)

    def is_public(self, url: str) -> bool:
        """Whether strangers could fetch a URL too: its host is not one the operator listed.

        Raises:
            PorticoError: MEDIA_UNREACHABLE for what is no URL we would fetch.
        """
        return not self._target(url).is_listed

    async def close(self) -> None:
        """Let go of the resolver's threads; connections end with each exchange."""
        self._dialler.close()

    @asynccontextmanager
    async def _follow(self, url: str) -> AsyncIterator[ClientResponse]:
        """Yield the good answer at the end of at most so many redirects (S5)."""
        target = self._target(url)
        if is_share_page(target):
            raise not_direct()
        with _refusing_trouble(target.host):
            async with asyncio.timeout(self._limits.whole_s), AsyncExitStack() as held:
                yield await self._arrive(target, held)

    async def _arrive(self, target: Target, held: AsyncExitStack) -> ClientResponse:
        for _ in range(self._limits.redirects_max + 1):
            async with AsyncExitStack() as hop:
                answer = await hop.enter_async_context(self._dialler.exchange(target))
                self._check_headers(answer)
                if answer.status not in REDIRECTS:
                    _check_good(answer)
                    await held.enter_async_context(hop.pop_all())
                    return answer
                target = self._next_hop(target, answer)
        raise unreachable(Reason.REDIRECTS)

    def _target(self, url: str) -> Target:
        limits = self._limits
        return parse_target(
            url, listed=self._listed, ports=limits.ports, suffixes=limits.private_suffixes
        )

    def _next_hop(self, target: Target, answer: ClientResponse) -> Target:
        location = answer.headers.get(hdrs.LOCATION, "")
        following = self._target(urljoin(target.url, location))
        if target.scheme == "https" and following.scheme != "https":
            raise unreachable(Reason.DOWNGRADE, host=following.host)
        return following

    def _check_headers(self, answer: ClientResponse) -> None:
        size_bytes = sum(len(name) + len(value) + 4 for name, value in answer.raw_headers)
        if size_bytes > self._limits.header_bytes_max:
            raise unreachable(Reason.HEADERS, size_bytes=size_bytes)

    async def _pieces(self, answer: ClientResponse) -> AsyncIterator[bytes]:
        """Yield the body as it comes, as long as it comes fast enough."""
        loop = asyncio.get_running_loop()
        limits = self._limits
        pace = Pace(
            bytes_min=limits.pace_bytes, window_s=limits.pace_window_s, started_at=loop.time()
        )
        while True:
            async with asyncio.timeout_at(pace.deadline_s):
                piece = await answer.content.readany()
            if not piece:
                return
            pace.arrived(loop.time(), len(piece))
            yield piece


def _check_good(answer: ClientResponse) -> None:
    if answer.status != _OK:
        raise unreachable(Reason.STATUS, status=answer.status)
    encodings = answer.headers.getall(hdrs.CONTENT_ENCODING, [])
    transfers = answer.headers.getall(hdrs.TRANSFER_ENCODING, [])
    if any(encoding.strip().lower() not in {"", "identity"} for encoding in encodings):
        raise unreachable(Reason.ENCODING)
    if any(transfer.strip().lower() != "chunked" for transfer in transfers):
        raise unreachable(Reason.ENCODING)


@contextmanager
def _refusing_trouble(host: str) -> Iterator[None]:
    """Turn whatever the network or a hostile host does into the one refusal (S9)."""
    try:
        yield
    except (ClientError, OSError, ValueError) as error:  # timeouts are OSErrors
        raise unreachable(Reason.NETWORK, host=host, error=type(error).__name__) from error
