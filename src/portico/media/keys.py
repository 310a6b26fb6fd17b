"""Keys: where an asset lies in a storage, made from its id alone."""

import re

from portico.core.ids import AssetId
from portico.media.sniff import SUFFIXES

FANS = "abcdefghijklmnopqrstuvwxyz234567"  # first letters of ids, so first parts of keys

_ASSET_ID = re.compile(r"[a-z]{1,16}_([a-z2-7])([a-z2-7])[a-z2-7]{10,40}")
_KEY = re.compile(r"[a-z2-7]/[a-z2-7]/[a-z]{1,16}_[a-z2-7]{12,42}\.[a-z0-9]{3,4}")


def storage_key(asset_id: AssetId, media_type: str) -> str:
    """Return where an asset lies: two levels of folders by the first letters of its id.

    Nothing but the id and our own suffix for the detected type goes into a key.
    """
    found = _ASSET_ID.fullmatch(asset_id)
    if found is None:
        message = "not an asset id"
        raise ValueError(message)
    return f"{found[1]}/{found[2]}/{asset_id}.{SUFFIXES[media_type]}"


def is_key(text: str) -> bool:
    """Whether a text has the shape of a key; nothing else ever reaches a folder or a bucket."""
    return _KEY.fullmatch(text) is not None
