"""Run plain functions that speak to an asynchronous driver: the other half of decision 2.

A work is synchronous and cannot await. On Postgres each of its statements has to wait for the
network all the same, so the work runs in a greenlet: at a statement it steps aside, the event loop
awaits the driver, and the work goes on with the answer where it stood.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

from greenlet import getcurrent, greenlet

T = TypeVar("T")


async def run_beside(function: Callable[[], T]) -> T:
    """Run a plain function in which `wait_for` may be called; returns or raises what it does."""
    here = getcurrent()
    inside = greenlet(function)
    inside.gr_context = here.gr_context  # log lines keep the request they belong to
    step: Any = inside.switch()
    while not inside.dead:
        try:
            answer = await step
        except BaseException as error:  # noqa: BLE001 - a cancelled wait is raised inside as well
            step = inside.throw(error)
        else:
            step = inside.switch(answer)
    return cast("T", step)


def wait_for(awaitable: Awaitable[T]) -> T:
    """Wait, from within a function that `run_beside` runs, for what the event loop awaits."""
    above = getcurrent().parent
    assert above is not None  # only `run_beside` makes functions that get here
    return cast("T", above.switch(awaitable))


def wait_from_survey(coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> T:
    """Wait, from within a `survey`, for what the event loop awaits.

    SQLite looks at its rows in a thread, Postgres beside the loop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()
    return wait_for(coroutine)
