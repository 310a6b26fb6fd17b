"""Standard Webhooks signatures (W1): what a receiver checks that an event is ours."""

import base64
import hashlib
import hmac

from portico.core.clock import SECOND_MS, Instant
from portico.core.ids import AccountId


def secret_for(server_secret: bytes, account_id: AccountId) -> str:
    """Return an account's webhook secret: `whsec_` and standard base64 of 32 bytes.

    Derived from the installation's secret, so it need not be stored and never changes by itself.
    """
    raw = hmac.new(server_secret, f"webhook:{account_id}".encode(), hashlib.sha256).digest()
    return "whsec_" + base64.b64encode(raw).decode()


def signed_headers(secret: str, *, delivery_id: str, body: bytes, now: Instant) -> dict[str, str]:
    """Return the three headers for one attempt; the stamp is that of the attempt, in seconds."""
    stamp = str(now // SECOND_MS)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((delivery_id.encode(), stamp.encode(), body))
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": stamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
