"""Request rates: how often one key may ask in a minute, in memory or in a shared store."""

from portico.rates.limiter import Bucket, RateLimiter, Rates
from portico.rates.open import open_rates

__all__ = ["Bucket", "RateLimiter", "Rates", "open_rates"]
