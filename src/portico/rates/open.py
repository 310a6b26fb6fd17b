"""Open the place where rates are counted, by its URL."""

from portico.rates.limiter import RateLimiter, Rates


def open_rates(url: str) -> Rates:
    """Open a shared store such as `valkey://host:6379`; empty: this process's memory.

    Connects to nothing yet, so a server that is away keeps nobody from starting.

    Raises:
        ValueError: for a URL of another kind.
    """
    if not url:
        return RateLimiter()
    # the client library costs 40 ms and 2 MiB, for those who use it only
    from portico.rates.shared import SharedRateLimiter  # noqa: PLC0415

    return SharedRateLimiter(url)
