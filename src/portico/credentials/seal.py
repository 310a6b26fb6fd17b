"""Seal secrets before they become part of a row: AES-256-GCM under a key that is in no database.

The key is derived from the installation's secret by HKDF-SHA-256. A sealed text is
`1.<key id>.<base64 of nonce, ciphertext and tag>`; the key id (8 hex digits) tells a wrong secret
from a damaged row. The credential's name and the secret's own are associated data: what was sealed
for one row, or one column, opens in no other.
"""

import base64
import hashlib
import os
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = "1"
_INFO = b"portico credentials, version 1"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_KEY_ID_LENGTH = 8


class UnsealedError(ValueError):
    """A sealed secret cannot be opened; says why, and nothing of what is inside."""


class Seal:
    """Seals and opens the secrets of one installation.

    Args:
        server_secret: the installation's own; whoever has it and the database has every key.
    """

    def __init__(self, server_secret: bytes) -> None:
        self._server_secret = server_secret

    def __repr__(self) -> str:
        """Keep the key out of whatever is printed."""
        return "Seal()"

    def close(self, secret: str, *, name: str, what: str) -> str:
        """Return a secret as a row keeps it; never the same twice.

        Args:
            secret: in clear.
            name: the credential's.
            what: which of its secrets this is.
        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, secret.encode(), _bound_to(name, what))
        return f"{VERSION}.{self._key_id}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, *, name: str, what: str) -> str:
        """Return a secret in clear.

        Raises:
            UnsealedError: it was sealed with another installation secret, for another row, or is
                damaged.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415

        version, _, rest = sealed.partition(".")
        key_id, _, text = rest.partition(".")
        if version != VERSION:
            message = "its secret is sealed in a way this version does not know"
            raise UnsealedError(message)
        if key_id != self._key_id:
            message = "its secret is sealed with another PORTICO_SECRET_KEY or secret.key"
            raise UnsealedError(message)
        try:
            raw = base64.urlsafe_b64decode(text)
            nonce, inside = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, inside, _bound_to(name, what)).decode()
        except (InvalidTag, ValueError):
            message = "its sealed secret is damaged, or was moved here from another credential"
            raise UnsealedError(message) from None

    @cached_property
    def _key(self) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

        derived = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=_INFO)
        return derived.derive(self._server_secret)

    @cached_property
    def _cipher(self) -> "AESGCM":
        # 30 ms, which an installation without upstreams does not pay at its start
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

        return AESGCM(self._key)

    @cached_property
    def _key_id(self) -> str:
        return hashlib.sha256(b"portico key id" + self._key).hexdigest()[:_KEY_ID_LENGTH]


def _bound_to(name: str, what: str) -> bytes:
    return f"{VERSION}\0{what}\0{name}".encode()
