"""`portico provider`: list who makes what is asked for."""

from collections import Counter

from portico.app import build_providers, load_catalogue
from portico.catalogue import Catalogue
from portico.cli.configuration import read_settings
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, group
from portico.cli.output import answer, print_table
from portico.core.clock import SystemClock
from portico.flows.connected import Connected
from portico.settings import Settings

app = group("List who makes what is asked for.")


@app.command("list")
def list_providers(*, data: Data = None, as_json: Json = False) -> None:
    """List the providers of this installation, and how many models go to each.

    This version has the built-in renderer and a simulator for tests; connecting upstreams comes
    with a later one.
    """
    settings = read_settings(data)
    try:
        providers = build_providers(settings, SystemClock())
    except ValueError as error:
        raise refusal(str(error)) from None
    models = _models_by_provider(settings)
    rows = [
        {"name": one.name, "makes": _makes(one), "models": models[one.provider]}
        for one in providers.all()
    ]
    if as_json:
        answer({"providers": rows}, "", as_json=True)
        return
    print_table(
        ("PROVIDER", "MAKES", "MODELS"),
        ((str(row["name"]), str(row["makes"]), str(row["models"])) for row in rows),
    )


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


def _makes(one: Connected) -> str:
    kinds = {"media": one.tasks is not None, "text": one.chat is not None}
    return ", ".join(kind for kind, makes in kinds.items() if makes)


def _models_by_provider(settings: Settings) -> Counter[str]:
    known = read_catalogue(settings).models()
    if settings.simulate:
        return Counter({"simulator": len(known)})
    return Counter(route.provider for model in known for route in model.routes)
