"""Let a caller in: bearer key → account, not suspended, not too fast."""

from portico import accounts
from portico.core.errors import ErrorCode, PorticoError
from portico.core.views import Caller
from portico.flows.gateway import Gateway
from portico.rates import Bucket

__all__ = ["Bucket", "admit", "bearer_key"]  # dialects name buckets, but not the part they live in

_KEY_LENGTH_MAX = 256


async def admit(gateway: Gateway, authorization: str | None, bucket: Bucket | None) -> Caller:
    """Return who is asking.

    The key is looked up on every request, so a revoked or suspended one stops at once.

    Raises:
        PorticoError: UNAUTHENTICATED, ACCOUNT_SUSPENDED or RATE_LIMITED.
    """
    secret_hash = accounts.key_hash(bearer_key(authorization))
    now = gateway.clock.now()
    caller = await gateway.store.read(
        lambda tx: accounts.find_caller(tx, secret_hash=secret_hash, now=now)
    )
    if caller.status != accounts.ACTIVE:
        raise PorticoError(ErrorCode.ACCOUNT_SUSPENDED, "Account suspended")
    if caller.requests_per_minute is not None:
        own = Bucket("key", caller.requests_per_minute)
        if (counting := gateway.rates.hit(own, caller.key_id)) is not None:
            await counting
    if bucket is not None and (counting := gateway.rates.hit(bucket, caller.key_id)) is not None:
        await counting
    return caller


def bearer_key(authorization: str | None) -> str:
    """Read the key from an Authorization header, as lenient as the vendors' examples need.

    The scheme's case, blanks around the key and a stray `<` or `>` do not matter (readings X1).

    Raises:
        PorticoError: UNAUTHENTICATED when there is no usable key.
    """
    scheme, _, key = (authorization or "").strip().partition(" ")
    key = key.strip().strip("<>").strip()
    if scheme.lower() != "bearer" or not key or len(key) > _KEY_LENGTH_MAX:
        raise PorticoError(ErrorCode.UNAUTHENTICATED, "Invalid API key")
    return key
