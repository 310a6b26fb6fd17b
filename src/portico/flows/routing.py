"""Choose who does a job: the first route of the catalogue that can be taken."""

from portico.catalogue import LOCAL_PROVIDER
from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, MediaJob
from portico.engines import RENDER, UPSTREAM
from portico.flows.gateway import Gateway
from portico.providers.base import ChatProvider
from portico.tasks import RouteTaken


def choose_route(gateway: Gateway, job: MediaJob) -> RouteTaken:
    """Return the route for a job.

    Raises:
        PorticoError: NO_ROUTE when no wired provider serves the model in the class asked for.
    """
    for route in gateway.catalogue.routes(job):
        for one in gateway.providers.of(gateway.limits.only_provider or route.provider):
            if one.tasks is not None:
                return RouteTaken(one.provider, one.name, route.upstream_model)
    raise PorticoError(ErrorCode.NO_ROUTE, "No upstream is available for this model")


def queue_of(route: RouteTaken) -> str:
    """Return what a route needs of its runner: a machine that renders, or only the network."""
    return RENDER if route.provider == LOCAL_PROVIDER else UPSTREAM


def choose_chat(gateway: Gateway, job: ChatJob) -> tuple[ChatProvider, str]:
    """Return who writes it, and the upstream's name for the model.

    Raises:
        PorticoError: NO_ROUTE.
    """
    for route in gateway.catalogue.routes(job):
        for one in gateway.providers.of(gateway.limits.only_provider or route.provider):
            if one.chat is not None:
                return one.chat, route.upstream_model
    raise PorticoError(ErrorCode.NO_ROUTE, "No upstream is available for this model")
