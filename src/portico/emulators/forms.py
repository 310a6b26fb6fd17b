"""Read multipart forms, as far as vendors' clients send them."""

from typing import Any

from python_multipart.multipart import MultipartParser, parse_options_header


class _Fields:
    """Collects the parts; a name that comes twice, or ends in `[]`, becomes a list."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self._header = ["", ""]
        self._headers: dict[str, str] = {}
        self._data = b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0] += data[start:end].decode("latin-1")

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1] += data[start:end].decode("latin-1")

    def header_end(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = ["", ""]

    def part_begin(self) -> None:
        self._headers, self._data = {}, b""

    def part_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def part_end(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", ""))
        name = options.get(b"name", b"").decode()
        value: Any = self._data if b"filename" in options else self._data.decode()
        if name in self.found or name.endswith("[]"):
            self.found.setdefault(name, []).append(value)
        else:
            self.found[name] = value


def read_form(body: bytes, content_type: str) -> dict[str, Any]:
    """Return the fields of a form: texts as text, files as bytes."""
    _, options = parse_options_header(content_type)
    fields = _Fields()
    parser = MultipartParser(
        options.get(b"boundary", b""),
        {
            "on_part_begin": fields.part_begin,
            "on_part_data": fields.part_data,
            "on_part_end": fields.part_end,
            "on_header_field": fields.header_field,
            "on_header_value": fields.header_value,
            "on_header_end": fields.header_end,
        },
    )
    parser.write(body)
    parser.finalize()
    return fields.found
