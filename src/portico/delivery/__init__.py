"""Delivery: events owed to customers' webhooks, signed, retried, never lost.

A delivery row is written in the transaction that ends the task. This part knows signatures and
the schedule; the posting itself goes through the outbound door, in a flow.
"""

from portico.delivery.model import Delivery, DeliveryState, NewDelivery
from portico.delivery.schedule import RETRY_AFTER_S, next_attempt_at
from portico.delivery.service import (
    due,
    enqueue,
    find,
    is_any_owed,
    of_task,
    record_attempt,
    remove,
    replay,
)
from portico.delivery.signature import secret_for, signed_headers

__all__ = [
    "RETRY_AFTER_S",
    "Delivery",
    "DeliveryState",
    "NewDelivery",
    "due",
    "enqueue",
    "find",
    "is_any_owed",
    "next_attempt_at",
    "of_task",
    "record_attempt",
    "remove",
    "replay",
    "secret_for",
    "signed_headers",
]
