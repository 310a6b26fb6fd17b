"""Request rates: how often one key may ask in a minute, in memory or in a shared store."""

from portico.rates.limiter import Bucket, RateLimiter

__all__ = ["Bucket", "RateLimiter"]
