"""Take what comes with a submit: its files, after the catalogue has had its say, and its terms."""

from collections.abc import Callable, Iterable

from portico.core.jobs import MediaAsk, MediaInput
from portico.dialects.body import fingerprint_of, repeat_of
from portico.dialects.endpoint import Call
from portico.dialects.fields import Fields, comparable, pieces_of
from portico.dialects.openai.sources import Source
from portico.flows import quote, upload
from portico.flows.submit import Terms

Parse = Callable[[Fields, Iterable[MediaInput]], MediaAsk]


async def parse_with_files(
    call: Call, fields: Fields, sources: list[Source], parse: Parse
) -> MediaAsk:
    """Read a submit, with its files stored; nothing is stored that would be refused anyway.

    Raises:
        PorticoError: whatever is wrong with the request or a file.
    """
    planned = [MediaInput(role=each.role, asset_id="planned") for each in sources]
    ask = parse(fields, planned)
    if sources:
        quote.quote(call.gateway, ask)
        ask = parse(fields, [await _stored(call, each) for each in sources])
    return ask


async def terms_of(call: Call, fields: Fields) -> Terms:
    """Return a submit's terms; files are only hashed for a request that may be repeated."""
    repeat = None
    if "idempotency-key" in call.request.headers:
        repeat = repeat_of(call, fingerprint_of(await comparable(fields)))
    return Terms(open_tasks_max=call.rules.open_tasks_max, repeat=repeat)


async def _stored(call: Call, source: Source) -> MediaInput:
    """Store what was uploaded; an address is fetched when the task runs."""
    if source.address is not None:
        return MediaInput(role=source.role, url=source.address)
    value = source.value if isinstance(source.value, str) else pieces_of(source.value)
    asset_id = await upload.upload(call.gateway, call.caller, value, param=source.role.value)
    return MediaInput(role=source.role, asset_id=asset_id)
