"""Encryption of secrets at rest, and keys derived from the installation's secret key, one for each purpose."""

import base64
import hashlib
import zlib
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vigie.errors import SettingsError

AT_REST = "secrets at rest"
MIN_KEY_CHARS = 32
_MIN_DISTINCT_CHARS = 10
_KEY_BYTES = 32
_MIN_COMPRESSED_SHARE = 0.85  # a phrase that comes again is shorter


def derived_key(secret: str, purpose: str) -> bytes:
    """Return 32 bytes derived from `secret` by HKDF-SHA256; keys of two purposes say nothing about each other."""
    info = b"vigie:" + purpose.encode()
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=info).derive(secret.encode())


def check_strength(secret: str, place: str = "VIGIE_SECRET_KEY") -> None:
    """Raise `SettingsError` for a secret key that could be guessed offline; `place` is where it stands."""
    repeats = len(zlib.compress(secret.encode(), 9)) < _MIN_COMPRESSED_SHARE * len(secret)
    if len(secret) < MIN_KEY_CHARS or len(set(secret)) < _MIN_DISTINCT_CHARS or repeats:
        raise SettingsError(
            f"{place}: too easy to guess, it needs at least {MIN_KEY_CHARS} random characters: "
            "make one with `openssl rand -base64 32`, or leave it unset and Vigie makes its own in the data folder"
        )


class Vault:
    """Encrypts and decrypts texts with Fernet, under the key of one purpose.

    Texts encrypted by releases that had one key for everything are still decrypted.
    """

    def __init__(self, secret: str, purpose: str = AT_REST) -> None:
        keys = derived_key(secret, purpose), _single_key(secret)
        self._fernet = MultiFernet(_fernets(keys))

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def decrypt(self, sealed: bytes) -> str:
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SettingsError("VIGIE_SECRET_KEY: not the key with which the secrets were stored") from error


def _single_key(secret: str) -> bytes:
    """Return the key that earlier releases used for every purpose."""
    return hashlib.blake2b(secret.encode(), digest_size=_KEY_BYTES, person=b"vigie-vault").digest()


def _fernets(keys: Sequence[bytes]) -> list[Fernet]:
    return [Fernet(base64.urlsafe_b64encode(key)) for key in keys]
