"""Name the field at fault in the caller's own spelling: below, fields have canonical names."""

import re
from collections.abc import Mapping

from portico.core.errors import PorticoError


def respelled(error: PorticoError, fields: Mapping[str, str]) -> PorticoError:
    """Return the same error with the field's canonical name replaced by the wire's own.

    A message that does not name the field gets the name in front. An error about a field that
    `fields` does not list comes back as it is.
    """
    field = fields.get(error.param or "")
    if error.param is None or field is None:
        return error
    message, count = re.subn(rf"\b{re.escape(error.param)}\b", field, error.message)
    other = PorticoError(
        error.code,
        message if count else f"{field}: {error.message}",
        param=field,
        retry_after_s=error.retry_after_s,
    )
    other.facts = error.facts
    return other
