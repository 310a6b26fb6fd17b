"""Signed links: whoever holds one may read one asset until a moment, and nothing else (A8).

A token is base64 of: key id (4 bytes), expiry in UTC seconds (5 bytes), the first 16 bytes of
HMAC-SHA-256 over key id, expiry and asset id, then the asset id. It is checked without a look
at any table; the caller then finds the asset's row, whose account is fixed for ever, and no
part of a token ever becomes part of a file's path.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence

from portico.core.clock import SECOND_MS, Instant
from portico.core.ids import AssetId

SECRET_BYTES_MIN = 16
TOKEN_LENGTH_MAX = 200
_KEY_ID_BYTES = 4
_EXPIRY_BYTES = 5
_HEAD_BYTES = _KEY_ID_BYTES + _EXPIRY_BYTES
_MAC_BYTES = 16
_TMP = "/tmp"  # noqa: S108 - how Yuanjing's links begin, never a folder of ours
_FOLDERS = 4  # and so many folders follow, then a name
_PURPOSE = b"portico signed file link, version 1"
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_NAME = r"[A-Za-z0-9_-]{1,64}\.[a-z0-9]{1,8}"
_TMP_PATH = re.compile(rf"{_TMP}((?:/[A-Za-z0-9_-]+){{{_FOLDERS}}})/{_NAME}")


class Links:
    """Signs with the first secret and accepts all of them, so that secrets can be rotated.

    Args:
        secrets: server secrets, newest first; each at least 16 bytes.
    """

    def __init__(self, secrets: Sequence[bytes]) -> None:
        if not secrets or min(map(len, secrets)) < SECRET_BYTES_MIN:
            message = "signed links need a secret of at least 16 bytes"
            raise ValueError(message)
        keys = [hmac.digest(secret, _PURPOSE, "sha256") for secret in secrets]
        self._keys = {hashlib.sha256(key).digest()[:_KEY_ID_BYTES]: key for key in keys}
        self._current = next(iter(self._keys))

    def token(self, asset_id: AssetId, *, expires_at: Instant) -> str:
        """Return the token that opens one asset until `expires_at`."""
        expiry = (expires_at // SECOND_MS).to_bytes(_EXPIRY_BYTES, "big")
        head, name = self._current + expiry, asset_id.encode()
        return base64.urlsafe_b64encode(head + self._mac(head, name) + name).decode().rstrip("=")

    def path(self, asset_id: AssetId, *, name: str, expires_at: Instant) -> str:
        """Return `/files/<token>/<name>`; the name is for people and is not signed."""
        return f"/files/{self.token(asset_id, expires_at=expires_at)}/{name}"

    def tmp_path(self, asset_id: AssetId, *, name: str, expires_at: Instant) -> str:
        """Return the token in the shape of Yuanjing's paths, such as `…/19/43/137/39/video.mp4`."""
        token = self.token(asset_id, expires_at=expires_at)
        step = -(-len(token) // _FOLDERS)
        folders = "/".join(token[at : at + step] for at in range(0, len(token), step))
        return f"{_TMP}/{folders}/{name}"

    def verify(self, token: str, *, now: Instant) -> AssetId | None:
        """Return the asset a token opens now; None for a forged, foreign or expired one."""
        if len(token) > TOKEN_LENGTH_MAX or not _TOKEN.fullmatch(token):
            return None
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return None
        head, mac, name = (
            raw[:_HEAD_BYTES],
            raw[_HEAD_BYTES:][:_MAC_BYTES],
            raw[_HEAD_BYTES + _MAC_BYTES :],
        )
        if head[:_KEY_ID_BYTES] not in self._keys or not hmac.compare_digest(
            mac, self._mac(head, name)
        ):
            return None
        expires_at = int.from_bytes(head[_KEY_ID_BYTES:], "big") * SECOND_MS
        return name.decode() if now < expires_at else None

    def verify_tmp_path(self, path: str, *, now: Instant) -> AssetId | None:
        """Return the asset a path in Yuanjing's shape opens now."""
        found = _TMP_PATH.fullmatch(path) if len(path) <= TOKEN_LENGTH_MAX + 100 else None
        return self.verify(found[1].replace("/", ""), now=now) if found else None

    def _mac(self, head: bytes, name: bytes) -> bytes:
        return hmac.digest(self._keys[head[:_KEY_ID_BYTES]], head + name, "sha256")[:_MAC_BYTES]
