"""Refuse what the operator's blocklist forbids."""

from portico.core.errors import ErrorCode, PorticoError
from portico.flows.gateway import Gateway

REFUSAL = "Content does not meet safety guidelines"  # the words of APIXO's page


def refuse_forbidden(gateway: Gateway, text: str, *, model: str) -> None:
    """Let a text pass, or refuse it without saying which word did it.

    Raises:
        PorticoError: CONTENT_REFUSED.
    """
    if gateway.blocklist.forbids(text, model=model):
        raise PorticoError(ErrorCode.CONTENT_REFUSED, REFUSAL)
