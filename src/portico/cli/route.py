"""`portico route`: say where a request would go, and why."""

from typing import Annotated

import msgspec
import typer

from portico.app import build_providers
from portico.catalogue import Catalogue, Model
from portico.cli.configuration import read_settings
from portico.cli.desk import at_desk, has_database
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, group
from portico.cli.output import answer, print_table
from portico.cli.provider import read_catalogue
from portico.core.clock import SystemClock
from portico.core.errors import PorticoError
from portico.core.jobs import Kind, Mode, RouteClass
from portico.core.money import format_credits
from portico.flows.administer import Desk
from portico.flows.explain import Candidate, Explanation, example
from portico.flows.explain import explain as explain_choice
from portico.providers.simulator import Simulator
from portico.routes import Pause, RouteState
from portico.routes import service as routes

app = group("Say where a request would go, and why.")


@app.command()
def explain(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A model, or its name in a dialect.")
    ],
    *,
    dialect: Annotated[
        str | None, typer.Option("--dialect", "-d", help="Whose name it is; else a model's own.")
    ] = None,
    mode: Annotated[Mode | None, typer.Option(help="How the model is used.")] = None,
    route_class: Annotated[
        RouteClass, typer.Option("--class", help="Which upstreams the customer allows.")
    ] = RouteClass.AUTO,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param", "-p", metavar="NAME=VALUE", help="Such as duration=10; repeatable."
        ),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Say where a request would go now, with the reason for or against each route.

    The cost is that of a job with the defaults of the model's first offering, and with what
    --param says. Needs no running server. Pauses are read from the database; how
    well routes did lately is known to the running processes alone.
    """
    settings = read_settings(data)
    catalogue = read_catalogue(settings)
    found = _find(catalogue, model, dialect)
    asked = mode or (Mode.CHAT if found.kind is Kind.TEXT else Mode.TEXT)
    state = RouteState()
    if has_database(settings):
        state.breakers.learn(at_desk(data, _pauses))
    clock = SystemClock()
    explanation = explain_choice(
        found,
        example(catalogue, found, asked, route_class, _given(param or [])),
        build_providers(settings, clock),
        state,
        now=clock.now(),
        only=Simulator.name if settings.simulate else None,
    )
    if as_json:
        answer(msgspec.to_builtins(explanation), "", as_json=True)
        return
    _print(explanation)


def _given(params: list[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in params]
    if not all(equals for _, equals, _ in pairs):
        message = "give --param as NAME=VALUE"
        raise refusal(message)
    return {name: value for name, _, value in pairs}


async def _pauses(desk: Desk) -> list[Pause]:
    return await desk.store.read(routes.pauses)


def _find(catalogue: Catalogue, name: str, dialect: str | None) -> Model:
    """Return a model by its own name, or by what a dialect calls it.

    Raises:
        PorticoError: INVALID_REQUEST when there is none.
    """
    if dialect is not None:
        sold = (each for each in catalogue.offerings(dialect) if each.name == name)
        name = next((each.model for each in sold), "")
    try:
        return catalogue.model(name)
    except PorticoError:
        where = f"in dialect {dialect}" if dialect else "of this name; is a --dialect needed?"
        message = f"there is no model {where}"
        raise refusal(message) from None


def _print(found: Explanation) -> None:
    goes = f"to {' or '.join(found.goes_to)}" if found.goes_to else "nowhere"
    print(f"This request would go {goes}, because {found.because}.\n")
    print_table(
        ("CREDENTIAL", "PROVIDER", "UPSTREAM MODEL", "COST", "NOW", "REASON"),
        (_row(each) for each in found.candidates),
    )


def _row(one: Candidate) -> tuple[str, ...]:
    cost = "-" if one.cost is None else format_credits(one.cost)
    takes = "yes" if one.takes else "no"
    return one.credential or "-", one.provider, one.upstream_model, cost, takes, one.reason
