"""`portico migrate`: bring the database to the newest schema."""

from portico.cli.configuration import read_settings
from portico.cli.desk import database_name
from portico.cli.failure import refusal
from portico.cli.options import Data, Json, plain
from portico.cli.output import answer
from portico.store.open import HEAD
from portico.store.open import migrate as bring_up_to_date

app = plain()


@app.command()
def migrate(*, data: Data = None, as_json: Json = False) -> None:
    """Bring the database to the newest schema, making it first where there is none.

    `portico serve` does this by itself; do it beforehand to keep an upgrade's pause short.
    """
    settings = read_settings(data)
    try:
        changed = bring_up_to_date(settings.database)
    except ValueError as error:
        raise refusal(str(error)) from error
    text = f"{database_name(settings)} is at revision {HEAD}{'' if changed else '; nothing to do'}."
    answer({"changed": changed, "revision": HEAD}, text, as_json=as_json)
