"""Say what a job would cost, with the same function that prices it when it is submitted."""

from portico.catalogue import Quote
from portico.core.jobs import MediaAsk
from portico.flows.gateway import Gateway


def quote(gateway: Gateway, ask: MediaAsk) -> Quote:
    """Price a job without holding anything.

    Raises:
        PorticoError: whatever the catalogue finds wrong with the request.
    """
    job = gateway.catalogue.resolve(ask)
    return gateway.catalogue.quote(job, at=gateway.clock.now())
