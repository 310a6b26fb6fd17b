"""`portico provider`: connect upstreams, and list who makes what is asked for."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from portico.app import load_catalogue
from portico.catalogue import Catalogue
from portico.cli.balances import balance_cell, balance_view
from portico.cli.configuration import read_settings
from portico.cli.desk import at_desk, has_database
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, group
from portico.cli.output import answer, print_table, shown_date
from portico.cli.workshop import built_in, open_workshop, read_options, read_secret
from portico.core.money import parse_credits
from portico.credentials import Change, CredentialRow
from portico.flows import credentials
from portico.flows.connected import Connected
from portico.flows.credentials import Answered, Draft
from portico.settings import Settings

app = group("Connect upstreams, and list who makes what is asked for.")
MODELS_SHOWN_MAX = 20

Name = Annotated[str, typer.Argument(metavar="NAME", help="The credential's name.")]
FromEnv = Annotated[
    str | None,
    typer.Option("--secret-from-env", metavar="VAR", help="Take the secret from this variable."),
]
Stdin = Annotated[bool, typer.Option("--secret-stdin", help="Read the secret from stdin.")]
Options = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="NAME=VALUE", help="Of this provider; may be repeated."),
]
Region = Annotated[str | None, typer.Option(metavar="R", help="Where it is, as routes name it.")]
AttemptsMax = Annotated[
    int | None, typer.Option("--attempts-max", min=0, help="Jobs open there at once; 0: any.")
]
PerMinute = Annotated[
    int | None, typer.Option("--per-minute", min=0, help="Jobs begun there a minute; 0: any.")
]
BalanceLow = Annotated[
    str | None,
    typer.Option(
        "--balance-low",
        metavar="N",
        help="Warn below so much of the upstream's own unit, where it tells its balance; 0: never.",
    ),
]


@app.command()
def add(  # noqa: PLR0913 - one argument an option
    name: Name,
    *,
    provider: Annotated[str, typer.Option(metavar="P", help="Which code speaks for it.")],
    base_url: Annotated[str, typer.Option(metavar="URL", help="Where the upstream is.")],
    secret_from_env: FromEnv = None,
    secret_stdin: Stdin = False,
    option: Options = None,
    region: Region = None,
    attempts_max: AttemptsMax = None,
    per_minute: PerMinute = None,
    balance_low: BalanceLow = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Add a credential: our key at an upstream. The key is sealed, and never shown again.

    Without --secret-from-env or --secret-stdin the key is asked for. A running server takes the
    credential up within two seconds. `portico provider test NAME` tries it for nothing.
    """
    shop = open_workshop(read_settings(data))
    draft = Draft(
        name=name,
        provider=provider,
        base_url=base_url,
        secret=read_secret(secret_from_env, from_stdin=secret_stdin),
        options=read_options(option or []),
        region=region or "",
        attempts_max=attempts_max or None,
        starts_per_minute=per_minute or None,
        balance_low=_amount(balance_low),
    )
    row = at_desk(data, lambda desk: credentials.add(desk, shop, draft), creates=True)
    answer(_view(row), f"Added {name}. Try it: portico provider test {name}", as_json=as_json)


@app.command("list")
def list_providers(*, data: Data = None, as_json: Json = False) -> None:
    """List what is built in and every credential, and how many models go to each."""
    settings = read_settings(data)
    models = _models_by_provider(settings)
    listed = [_built_in_view(one) for one in built_in(settings).all()]
    if has_database(settings):
        shop = open_workshop(settings)
        rows = at_desk(data, credentials.list_credentials)
        told = at_desk(data, credentials.list_balances)
        listed += [
            _view(row)
            | {"problem": credentials.problem_of(row, shop)}
            | balance_view(told.get(row.name), row.balance_low)
            for row in rows
        ]
    listed = [each | {"models": models[str(each["provider"])]} for each in listed]
    if as_json:
        answer({"providers": listed}, "", as_json=True)
        return
    print_table(
        ("NAME", "PROVIDER", "BASE URL", "MODELS", "BALANCE", "STATE"),
        (
            (
                str(each["name"]),
                str(each["provider"]),
                str(each.get("base_url") or "-"),
                str(each["models"]),
                balance_cell(each),
                _state(each),
            )
            for each in listed
        ),
    )


@app.command()
def show(name: Name, *, data: Data = None, as_json: Json = False) -> None:
    """Show a credential, without its secret."""
    shop = open_workshop(read_settings(data))
    row, count = at_desk(data, lambda desk: credentials.show(desk, name))
    told = at_desk(data, credentials.list_balances)
    view = _view(row) | {"open_attempts": count, "problem": credentials.problem_of(row, shop)}
    view |= balance_view(told.get(name), row.balance_low)
    shown = view | {
        "options": ", ".join(f"{key}={value}" for key, value in row.options.items()),
        "upstream_models": "-" if row.models is None else str(len(row.models)),
        **{at: shown_date(view[at]) for at in ("synced_at", "created_at", "updated_at")},
        "balance": balance_cell(view),
        "balance_read_at": shown_date(view["balance_read_at"]),
    }
    text = "\n".join(f"{key:<18} {_cell(value)}" for key, value in shown.items())
    answer(view, text, as_json=as_json)


@app.command("test")
def try_out(name: Name, *, data: Data = None, as_json: Json = False) -> None:
    """Ask the upstream something that costs nothing, and say whether it takes our key.

    Exit code 1 unless it does.
    """
    shop = open_workshop(read_settings(data))
    found = at_desk(data, lambda desk: credentials.try_out(desk, shop, name))
    answer({"name": name, "answer": found}, f"{name}: {_SAYINGS[found]}", as_json=as_json)
    if found is not Answered.WELL:
        raise typer.Exit(1)


@app.command()
def sync(name: Name, *, data: Data = None, as_json: Json = False) -> None:
    """Read and keep the upstream's list of models, and compare our routes with it."""
    settings = read_settings(data)
    shop, known = open_workshop(settings), read_catalogue(settings)
    found = at_desk(data, lambda desk: credentials.sync(desk, shop, name, known))
    result = {
        "name": name,
        "models": sorted(found.models),
        "routes_present": found.present,
        "routes_absent": found.absent,
    }
    lines = [f"{name} has {len(found.models)} models."]
    lines += [f"route  there    {each}" for each in found.present]
    lines += [f"route  MISSING  {each}" for each in found.absent]
    if not found.present and not found.absent:
        lines.append("No route of the catalogue goes there.")
        lines += [f"model  {each}" for each in sorted(found.models)[:MODELS_SHOWN_MAX]]
    answer(result, "\n".join(lines), as_json=as_json)


@app.command()
def update(  # noqa: PLR0913 - one argument an option
    name: Name,
    *,
    secret: Annotated[bool, typer.Option("--secret", help="Ask for a new secret.")] = False,
    secret_from_env: FromEnv = None,
    secret_stdin: Stdin = False,
    base_url: Annotated[str | None, typer.Option(metavar="URL", help="Another address.")] = None,
    option: Options = None,
    region: Region = None,
    attempts_max: AttemptsMax = None,
    per_minute: PerMinute = None,
    balance_low: BalanceLow = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change a credential; what is under way goes on as it began.

    Options given replace all that there were; `--option ""` leaves none.
    """
    shop = open_workshop(read_settings(data))
    new = secret or secret_stdin or secret_from_env is not None
    text = read_secret(secret_from_env, from_stdin=secret_stdin) if new else None
    given: dict[str, Any] = {
        "base_url": base_url,
        "region": region,
        "options": None if option is None else read_options([each for each in option if each]),
    }
    given = {key: value for key, value in given.items() if value is not None}
    for key, value in {"attempts_max": attempts_max, "starts_per_minute": per_minute}.items():
        if value is not None:
            given[key] = value or None
    if balance_low is not None:
        given["balance_low"] = _amount(balance_low)
    if not given and text is None:
        message = "nothing to change: say what, or --secret for a new secret"
        raise refusal(message)
    row = at_desk(
        data, lambda desk: credentials.change(desk, shop, name, Change(**given), secret=text)
    )
    answer(_view(row), f"Changed {name}.", as_json=as_json)


@app.command()
def enable(name: Name, *, data: Data = None, as_json: Json = False) -> None:
    """Let a credential take new work again."""
    at_desk(data, lambda desk: credentials.set_enabled(desk, name, enabled=True))
    answer({"name": name, "enabled": True}, f"Enabled {name}.", as_json=as_json)


@app.command()
def disable(name: Name, *, data: Data = None, as_json: Json = False) -> None:
    """Give a credential no new work; what is open there goes on to its end."""
    at_desk(data, lambda desk: credentials.set_enabled(desk, name, enabled=False))
    answer({"name": name, "enabled": False}, f"Disabled {name}.", as_json=as_json)


@app.command()
def remove(
    name: Name,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also while work is open, which fails at a restart.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Forget a credential and its secret; refused while work is open there."""
    at_desk(data, lambda desk: credentials.remove(desk, name, force=force))
    answer({"name": name, "removed": True}, f"Removed {name}.", as_json=as_json)


def read_catalogue(settings: Settings) -> Catalogue:
    """Return the catalogue as the server would load it.

    Raises:
        PorticoError: INVALID_REQUEST naming file and field of what is wrong with it.
    """
    try:
        return load_catalogue(settings)
    except (ValueError, OSError) as error:
        message = f"the catalogue cannot be used: {error}"
        raise refusal(message) from None


_SAYINGS = {
    Answered.WELL: "reachable, and takes our key",
    Answered.KEY_REFUSED: "reachable, and refuses our key",
    Answered.UNREACHED: "not reachable",
    Answered.ODDLY: "answers, but not as this provider expects: is the base URL right?",
}


def _view(row: CredentialRow) -> dict[str, Any]:
    """Return what of a credential may be shown: all but its secrets."""
    return {
        "name": row.name,
        "provider": row.provider,
        "built_in": False,
        "base_url": row.base_url,
        "options": dict(row.options),
        "region": row.region,
        "attempts_max": row.attempts_max,
        "starts_per_minute": row.starts_per_minute,
        "enabled": row.is_enabled,
        "upstream_models": None if row.models is None else sorted(row.models),
        "synced_at": row.synced_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _amount(text: str | None) -> int | None:
    return None if text is None else parse_credits(text) or None


def _built_in_view(one: Connected) -> dict[str, Any]:
    return {"name": one.name, "provider": one.provider, "built_in": True, "makes": _makes(one)}


def _state(view: Mapping[str, Any]) -> str:
    if view["built_in"]:
        return f"built in: {view['makes']}"
    if view["problem"]:
        return f"unusable: {view['problem']}"
    return "enabled" if view["enabled"] else "disabled"


def _cell(value: object) -> str:
    return "-" if value in (None, "") else str(value)


def _makes(one: Connected) -> str:
    kinds = {"media": one.tasks is not None, "text": one.chat is not None}
    return ", ".join(kind for kind, makes in kinds.items() if makes)


def _models_by_provider(settings: Settings) -> Counter[str]:
    known = read_catalogue(settings).models()
    if settings.simulate:
        return Counter({"simulator": len(known)})
    return Counter(route.provider for model in known for route in model.routes)
