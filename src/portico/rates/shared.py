"""Count in a Valkey or Redis server, so that several processes share every limit.

A request never fails, and never waits long, because that server is away. The first failure
opens a circuit: this process counts in its own memory, without trying again at each request,
while one task of ours knocks every second. What was counted meanwhile stays behind.
"""

import asyncio
import contextlib

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import RedisStorage
from limits.aio.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from prometheus_client import Counter
from valkey.asyncio import BlockingConnectionPool
from valkey.exceptions import ValkeyError

from portico.rates.limiter import EXACT_UP_TO, Bucket, RateLimiter, too_many

# connecting included; so long that a busy processor of ours is not taken for a silent server
ANSWER_WITHIN_S = 1.0
KNOCK_EVERY_S = 1.0
CONNECTIONS_MAX = 32
# what an operator may write, and what the client library calls it
SCHEMES = {"valkey": "valkey", "valkeys": "valkeys", "redis": "valkey", "rediss": "valkeys"}
_PREFIX = "portico"
_log = structlog.get_logger("portico.rates")
_counted_alone = Counter(
    "portico_rates_local",
    "Requests counted by this process alone, because the shared store of rates was away.",
)


class SharedRateLimiter:
    """Counts in one server for all processes; in memory while that server is away.

    Args:
        url: `valkey://[user:password@]host:port[/number]` or `redis://…`; with an `s` over TLS.
        knock_every_s: how often to ask a server that is away whether it is back.

    Raises:
        ValueError: for a URL the client library cannot read; its text repeats no password.
    """

    def __init__(self, url: str, *, knock_every_s: float = KNOCK_EVERY_S) -> None:
        self._pool = _pool(url)
        self._storage = RedisStorage(
            "async+valkey://",
            key_prefix=_PREFIX,
            connection_pool=self._pool,  # type: ignore[arg-type]  # documented, not declared
        )
        self._exact = MovingWindowRateLimiter(self._storage)
        self._weighted = SlidingWindowCounterRateLimiter(self._storage)
        self._alone = RateLimiter()
        self._turns = asyncio.Semaphore(CONNECTIONS_MAX)
        self._knock_every_s = knock_every_s
        self._knocking: asyncio.Task[None] | None = None  # set: the circuit is open

    async def hit(self, bucket: Bucket, key: str) -> None:
        """Count one request; a server that says nothing holds up a few, once, for a second.

        Raises:
            PorticoError: RATE_LIMITED with whole seconds to wait, when it is one too many.
        """
        async with self._turns:  # a burst waits here, where waiting is no sign of a lost server
            if self._knocking is None and await self._hit_shared(bucket, key):
                return
        _counted_alone.inc()
        self._alone.hit(bucket, key)

    async def check(self) -> None:
        """Count something that nobody is limited by: proves reading, writing and scripts.

        Raises:
            Exception: whatever the client library says is wrong.
        """
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await self._storage.incr("check", expiry=1)

    async def close(self) -> None:
        """Stop knocking and close every connection."""
        if self._knocking is not None:
            self._knocking.cancel()
            await asyncio.gather(self._knocking, return_exceptions=True)
        with contextlib.suppress(ValkeyError, OSError):
            await self._pool.aclose()

    async def _hit_shared(self, bucket: Bucket, key: str) -> bool:
        """Count in the server; False when it could not say whether it did."""
        limiter = self._exact if bucket.per_minute <= EXACT_UP_TO else self._weighted
        item = RateLimitItemPerMinute(bucket.per_minute)
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                if await limiter.hit(item, bucket.name, key):
                    return True
                stats = await limiter.get_window_stats(item, bucket.name, key)
        except Exception as error:  # noqa: BLE001 - edge: no client pays for a lost store
            self._open_circuit(error)
            return False
        raise too_many(stats.reset_time)

    def _open_circuit(self, error: Exception) -> None:
        if self._knocking is None:  # of many requests under way, the first one tells
            _log.warning("rates_store_lost", kind=type(error).__name__)
            self._knocking = asyncio.create_task(self._knock(), name="portico-rates")

    async def _knock(self) -> None:
        """Close the circuit as soon as the server counts again."""
        while True:
            await asyncio.sleep(self._knock_every_s)
            try:
                await self.check()
            except Exception as error:  # noqa: BLE001 - edge: it is asked again in a second
                _log.debug("rates_store_away", kind=type(error).__name__)
            else:
                break
        self._knocking = None
        _log.info("rates_store_back")


def _pool(url: str) -> BlockingConnectionPool:
    """Read a URL into a pool with a connection for each request whose turn it may be."""
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES or not rest:
        message = f"PORTICO_LIMITS_URL needs a URL that begins with {', '.join(SCHEMES)}"
        raise ValueError(message)
    try:
        return BlockingConnectionPool.from_url(
            f"{SCHEMES[scheme]}://{rest}",
            max_connections=CONNECTIONS_MAX,
            timeout=ANSWER_WITHIN_S,
            socket_connect_timeout=ANSWER_WITHIN_S,
            socket_timeout=ANSWER_WITHIN_S,
        )
    except ValueError as error:  # its words may repeat the URL, and so a password
        message = "PORTICO_LIMITS_URL cannot be read"
        raise ValueError(message) from error
