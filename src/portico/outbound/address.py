"""Pure rules for URLs, names and addresses that strangers hand us.

Neither the standard library's `is_global` nor the system resolver is a guard by itself: the
first is true for multicast and for NAT64, the second reads `0x7f.1` as this very machine.
"""

import ipaddress
import re
import unicodedata
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import quote

import idna
import msgspec

from portico.outbound.refusals import Reason, unreachable

URL_LENGTH_MAX = 2_048
NAME_LENGTH_MAX = 253
LABEL_LENGTH_MAX = 63
PORT_MAX = 65_535
PORTS = frozenset({80, 443, 8080, 8443})
PRIVATE_SUFFIXES = (
    "localhost",
    "local",
    "internal",
    "localdomain",
    "home.arpa",
    "lan",
    "svc",
    "cluster.local",
)

HostPort = tuple[str, int]
Address = IPv4Address | IPv6Address

_SHAPE = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::([1-9][0-9]{0,4}))?", re.IGNORECASE)
_PLAIN_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x.*")
_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_ASCII_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))

_IPV4_REFUSED = tuple(
    IPv4Network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "224.0.0.0/4")
)
_IPV6_UNICAST = IPv6Network("2000::/3")
_IPV6_REFUSED = tuple(
    IPv6Network(text) for text in ("2001::/23", "2002::/16", "2001:db8::/32", "3fff::/20")
)
# Where clouds answer questions about the machine itself: never, not even when listed.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)


class Target(msgspec.Struct, frozen=True):
    """One URL taken apart and found harmless in shape; only these parts are ever dialled."""

    scheme: str
    host: str  # lower-case ASCII name without root dot, or an address without brackets
    port: int
    path: str  # percent-encoded ASCII, begins with "/"
    query: str  # without "?"
    is_listed: bool  # the operator listed this host and port as reachable

    @property
    def url(self) -> str:
        """The URL put together again, in normal form."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{host}:{self.port}{self.path}{query}"


def parse_target(
    url: str,
    *,
    listed: frozenset[HostPort] = frozenset(),
    ports: frozenset[int] = PORTS,
    suffixes: tuple[str, ...] = PRIVATE_SUFFIXES,
) -> Target:
    """Take a URL apart and refuse every shape that has two readings (S1, S2).

    Raises:
        PorticoError: MEDIA_UNREACHABLE.
    """
    if not 0 < len(url) <= URL_LENGTH_MAX or any(map(_is_unsafe, url)):
        raise unreachable(Reason.URL_TEXT)
    shape = _SHAPE.fullmatch(url)
    if shape is None:
        raise unreachable(Reason.SCHEME)
    scheme = shape[1].lower()
    host, port = _authority(shape[2], default_port=443 if scheme == "https" else 80)
    is_listed = (host, port) in listed
    if not is_listed:
        _refuse_private_name(host, suffixes)
        if port not in ports:
            raise unreachable(Reason.PORT, host=host, port=port)
    path, query = (_percent_encoded(part or "") for part in (shape[3], shape[4]))
    return Target(scheme, host, port, path or "/", query.removeprefix("?"), is_listed)


@lru_cache(maxsize=1_024)  # asked for every call to an upstream
def check_address(text: str, *, is_listed: bool = False) -> Address:
    """Return the address if it may be dialled (S3, S7).

    Raises:
        PorticoError: MEDIA_UNREACHABLE.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise unreachable(Reason.NO_ADDRESS) from error
    if not (_may_be_listed(address) if is_listed else _is_public(address)):
        raise unreachable(Reason.ADDRESS, address=text)
    return address


def literal_address(host: str) -> Address | None:
    """Return the address a host spells out; None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.is_global and not any(address in network for network in _IPV4_REFUSED)
    return (
        address.scope_id is None
        and address in _IPV6_UNICAST
        and address.is_global
        and address not in _METADATA
        and not any(address in network for network in _IPV6_REFUSED)
    )


def _may_be_listed(address: Address) -> bool:
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if address in _METADATA:
        return False
    if isinstance(address, IPv4Address):
        return address != IPv4Address("255.255.255.255")
    # forms that carry an IPv4 address inside have no business in a list of exact hosts
    is_plain = address in _IPV6_UNICAST or address in IPv6Network("fc00::/7")
    return address.is_loopback or (is_plain and address not in IPv6Network("2002::/16"))


def _is_unsafe(character: str) -> bool:
    if character.isascii():
        return not "!" <= character <= "~" or character == "\\"
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"}


def _authority(text: str, *, default_port: int) -> HostPort:
    if "@" in text or "%" in text:
        raise unreachable(Reason.AUTHORITY)
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        raise unreachable(Reason.AUTHORITY)
    port = int(found[2]) if found[2] else default_port
    if port > PORT_MAX:
        raise unreachable(Reason.PORT)
    return _host(found[1]), port


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1]))
        except ValueError as error:
            raise unreachable(Reason.HOST) from error
    labels = [_label(label) for label in text.translate(_ASCII_LOWER).removesuffix(".").split(".")]
    host = ".".join(labels)
    if len(host) > NAME_LENGTH_MAX:
        raise unreachable(Reason.HOST)
    if _NUMERIC_LABEL.fullmatch(labels[-1]) and str(literal_address(host)) != host:
        raise unreachable(Reason.NUMBER)
    return host


def _label(label: str) -> str:
    """Return a label as ASCII; strict IDNA 2008, nothing is mapped onto anything."""
    if not label.isascii() or label.startswith("xn--"):
        try:
            label = idna.alabel(label).decode()
        except (UnicodeError, ValueError) as error:  # IDNAError is a UnicodeError
            raise unreachable(Reason.HOST) from error
    if len(label) > LABEL_LENGTH_MAX or not _PLAIN_LABEL.fullmatch(label):
        raise unreachable(Reason.HOST)
    return label


def _refuse_private_name(host: str, suffixes: tuple[str, ...]) -> None:
    if literal_address(host) is not None:
        return
    labels = host.split(".")
    tails = {".".join(labels[index:]) for index in range(len(labels))}
    if len(labels) == 1 or not tails.isdisjoint(suffixes):
        raise unreachable(Reason.PRIVATE_NAME, host=host)


def _percent_encoded(text: str) -> str:
    """Encode what is not ASCII; the rest stays byte for byte, because signatures cover it."""
    return quote(text, safe=_ASCII_PRINTABLE)
