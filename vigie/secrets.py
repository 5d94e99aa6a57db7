"""Secrets at rest: encrypted with the installation's key (Fernet: AES-128-CBC and HMAC-SHA256)."""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken

from vigie.errors import SettingsError


class Vault:
    """Encrypts and decrypts with a key drawn from `secret`."""

    def __init__(self, secret: str) -> None:
        key = hashlib.blake2b(secret.encode(), digest_size=32, person=b"vigie-vault").digest()
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def decrypt(self, sealed: bytes) -> str:
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SettingsError("VIGIE_SECRET_KEY: not the key with which the secrets were stored") from error
