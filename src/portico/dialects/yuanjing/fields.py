"""Fields of a request, however they were sent; read as OpenAI's dialect reads them too."""

from portico.dialects.fields import (
    Fields,
    comparable,
    field,
    pieces_of,
    read_fields,
    text_field,
)

__all__ = ["Fields", "comparable", "field", "pieces_of", "read_fields", "text_field"]
