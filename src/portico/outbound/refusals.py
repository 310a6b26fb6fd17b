"""What is said when a URL is not fetched: one sentence to the customer, the reason to the log."""

from enum import StrEnum

from portico.core.errors import ErrorCode, PorticoError

UNREACHABLE_MESSAGE = "Cannot fetch this URL"
NOT_DIRECT_MESSAGE = "Not a direct link to a media file"


class Reason(StrEnum):
    """Why a URL was not fetched; for the operator's log only."""

    URL_TEXT = "length or characters of the URL"
    SCHEME = "scheme"
    AUTHORITY = "host or port of the URL"
    HOST = "host"
    NUMBER = "number in place of a host"
    PRIVATE_NAME = "private name"
    PORT = "port"
    ANSWERS = "number of addresses"
    NO_ADDRESS = "not an address"
    ADDRESS = "address"
    PEER = "peer is not a checked address"
    NETWORK = "network"
    REDIRECTS = "too many redirects"
    DOWNGRADE = "redirect from https to http"
    STATUS = "status"
    HEADERS = "size of the headers"
    ENCODING = "encoding"
    SIZE = "size"


def unreachable(reason: Reason, **facts: int | str | None) -> PorticoError:
    """Build the one error for every URL that could not be fetched, whatever the reason.

    An open port, a closed port, a private address and a slow host must look alike.
    """
    error = PorticoError(ErrorCode.MEDIA_UNREACHABLE, UNREACHABLE_MESSAGE, reason=reason)
    error.facts |= facts
    return error


def not_direct() -> PorticoError:
    """Build the error for share pages, preview pages and whatever is not media by its bytes."""
    return PorticoError(ErrorCode.MEDIA_UNREACHABLE, NOT_DIRECT_MESSAGE, direct=False)


def is_indirect(error: PorticoError) -> bool:
    """Whether an error says that a URL leads to a page instead of a file."""
    return error.facts.get("direct") is False
