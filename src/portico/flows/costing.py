"""Note what upstreams take for what they do, and say so when that is more than was charged.

Only models with a route whose cost is known take part: for all others nothing is asked, computed
or written.
"""

from collections.abc import Mapping
from contextlib import suppress

import structlog
from prometheus_client import Counter

from portico import tasks
from portico.catalogue import Cost, media_cost, text_cost
from portico.core.clock import Instant
from portico.core.errors import PorticoError
from portico.core.ids import TaskId
from portico.core.jobs import ChatJob, ChatUsage
from portico.core.money import Credits
from portico.core.upstreams import UpstreamError
from portico.flows.gateway import Gateway
from portico.tasks import RouteTaken, Task

_negative = Counter(
    "portico_negative_margins", "Tasks that cost more upstream than was charged for them."
)
_log = structlog.get_logger("portico.margins")


async def attempt_cost(
    gateway: Gateway, task: Task, attempt_id: str, usage: Mapping[str, object]
) -> Credits | None:
    """Return what an upstream takes for an attempt of which it measured this; None: unknown."""
    if not has_costs(gateway, task.model):
        return None
    attempts = await gateway.store.read(lambda tx: tasks.attempts_of(tx, task.id))
    attempt = next((each for each in attempts if each.id == attempt_id), None)
    if attempt is None:
        return None
    costs = _costs(gateway, task.model, attempt.route)
    return media_cost(costs, task.media_job(), usage, at=attempt.started_at)


def cost_of_text(
    gateway: Gateway, job: ChatJob, route: RouteTaken, usage: ChatUsage, *, at: Instant
) -> Credits | None:
    """Return what an upstream takes for a text of so many LLM tokens; None: unknown."""
    if not has_costs(gateway, job.model):
        return None
    return text_cost(_costs(gateway, job.model, route), usage, at=at)


async def note_failure(gateway: Gateway, task: Task, error: PorticoError) -> None:
    """Note what an upstream takes for a job that failed, where it says what it measured."""
    if not isinstance(error, UpstreamError) or not error.usage:
        return
    last = await gateway.store.read(lambda tx: tasks.last_attempt(tx, task.id))
    if last is None:
        return
    cost = await attempt_cost(gateway, task, last.id, error.usage)
    if cost is not None:
        await gateway.store.write(lambda tx: tasks.note_cost(tx, last.id, cost=cost), lane=task.id)


async def watch_margin(gateway: Gateway, task: Task, *, charged: Credits) -> None:
    """Warn when a task that has just ended costs us more than it brought."""
    if not has_costs(gateway, task.model):
        return
    with suppress(PorticoError):  # the task has ended; that its warning is lost changes nothing
        attempts = await gateway.store.read(lambda tx: tasks.attempts_of(tx, task.id))
        warn_if_negative(task.id, charged=charged, cost=sum(each.cost or 0 for each in attempts))


def warn_if_negative(task_id: TaskId, *, charged: Credits, cost: Credits) -> None:
    """Say which task it was, and nothing of what it was about."""
    if cost > charged:
        _negative.inc()
        _log.warning("negative_margin", task_id=task_id)


def has_costs(gateway: Gateway, model_id: str) -> bool:
    """Whether anything is known of what a model costs us."""
    try:
        model = gateway.catalogue.model(model_id)
    except PorticoError:  # it has gone from the catalogue since
        return False
    return any(route.costs for route in model.routes)


def _costs(gateway: Gateway, model_id: str, taken: RouteTaken) -> tuple[Cost, ...]:
    """Return the costs of the route that was taken, rather those of its own credential."""
    found = [
        route
        for route in gateway.catalogue.model(model_id).routes
        if (route.provider, route.upstream_model) == (taken.provider, taken.upstream_model)
        and route.credential in (None, taken.credential)
    ]
    found.sort(key=lambda route: route.credential is None)
    return found[0].costs if found else ()
