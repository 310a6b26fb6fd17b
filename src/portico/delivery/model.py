"""Values of deliveries."""

from enum import StrEnum

import msgspec

from portico.core.clock import Instant
from portico.core.ids import AccountId, TaskId


class DeliveryState(StrEnum):
    """Pending until a receiver took it, the schedule ran out, or the endpoint said gone."""

    PENDING = "pending"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    REFUSED = "refused"  # 410: the receiver wants no more


class NewDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """One event for one URL; `id` is the `webhook-id`, the same over all attempts."""

    id: str
    account_id: AccountId
    task_id: TaskId
    url: str
    created_at: Instant


class Delivery(NewDelivery, frozen=True, kw_only=True):
    """One delivery as its row stands."""

    state: DeliveryState
    attempts: int
    next_attempt_at: Instant
    last_status: int | None
