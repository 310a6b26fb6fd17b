"""Have a text written: at the first route that takes it, and there to its end."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from portico.core.errors import ErrorCode, PorticoError
from portico.core.jobs import ChatJob, Chunk
from portico.flows import pauses
from portico.flows.capacity import starts_after_s
from portico.flows.chat_answer import Heard
from portico.flows.gateway import Gateway
from portico.flows.retry import is_refusal
from portico.flows.routing import (
    eligible,
    free_after_s,
    is_free,
    no_route,
    pick,
    require_route,
    taken,
)
from portico.providers.base import ChatProvider
from portico.routes import Key, Offer


def require_chat(gateway: Gateway, job: ChatJob) -> None:
    """Refuse a text that nobody can write now; nobody waits for a route while its client does.

    Raises:
        PorticoError: NO_ROUTE, or OVERLOADED while every route is paused.
    """
    require_route(gateway, job)
    offers = eligible(gateway, job)
    if not any(is_free(gateway, each) for each in offers):
        raise _busy(free_after_s(gateway, offers))


async def pieces(gateway: Gateway, job: ChatJob, heard: Heard) -> AsyncGenerator[Chunk, None]:
    """Yield a text as an upstream writes it.

    A refusal before the first piece leads to the next route; once there was a piece, or where it
    is unclear whether the upstream has begun, there is no other. `heard` learns who writes it.

    Raises:
        PorticoError: NO_ROUTE, or what the last upstream said.
    """
    tried: set[Key] = set()
    refusal: PorticoError | None = None
    while (offer := await _next(gateway, job, tried, refusal)) is not None:
        try:
            async with aclosing(_written(gateway, job, offer)) as written:
                heard.took = taken(offer)
                async for piece in written:
                    yield piece
        except _RefusedError as refused:
            refusal = refused.error
        else:
            return
    if refusal is not None:
        raise refusal


class _RefusedError(Exception):
    """One route has refused the text, before its first piece."""

    def __init__(self, error: PorticoError) -> None:
        super().__init__(error.code)
        self.error = error


async def _written(gateway: Gateway, job: ChatJob, offer: Offer) -> AsyncGenerator[Chunk, None]:
    """Yield a text from one route, and note how that goes.

    Raises:
        _RefusedError: another route may write it.
        PorticoError: none may.
    """
    began_at, begun = gateway.clock.monotonic(), False
    stream = _chat(gateway, offer).stream(job, model=offer.key.model)
    try:
        async with aclosing(stream) as written:  # type: ignore[type-var]
            async for piece in written:
                if not begun:
                    begun = True
                    await _note_begun(gateway, offer, began_at)
                yield piece
    except PorticoError as error:
        await pauses.note_refusal(gateway, offer.key, error)
        if begun or not is_refusal(error):
            raise
        raise _RefusedError(error) from error


async def _next(
    gateway: Gateway, job: ChatJob, tried: set[Key], refusal: PorticoError | None
) -> Offer | None:
    """Return the next route, noting it as tried; None: every one of them has refused.

    Raises:
        PorticoError: NO_ROUTE, or OVERLOADED or RATE_LIMITED while none has room.
    """
    offers = eligible(gateway, job)
    if not offers:
        raise no_route()
    busy: PorticoError | None = None
    while left := [each for each in offers if each.key not in tried]:
        offer = pick(gateway, job, left)
        if offer is None:
            busy = busy or _busy(free_after_s(gateway, left))
            break
        tried.add(offer.key)
        one = gateway.providers.get(offer.key.credential)
        after_s = None if one is None else await starts_after_s(gateway, one)
        if after_s is not None:
            busy = _busy(after_s)
        elif await pauses.take_turn(gateway, offer.key):
            return offer
    if refusal is None:
        raise busy or _busy(1.0)
    return None


def _chat(gateway: Gateway, offer: Offer) -> ChatProvider:
    one = gateway.providers.get(offer.key.credential)
    if one is None or one.chat is None:
        raise no_route()
    return one.chat


async def _note_begun(gateway: Gateway, offer: Offer, began_at: float) -> None:
    """Note that a text is being written, and how long its first piece took."""
    gateway.routes.health.succeeded(offer.key, gateway.clock.monotonic() - began_at)
    await pauses.note_answer(gateway, offer.key)


def _busy(after_s: float) -> PorticoError:
    message = "Too busy, try again"
    return PorticoError(ErrorCode.OVERLOADED, message, retry_after_s=after_s)
