"""Identifiers: those that follow from what they name, and those that are drawn."""

import hashlib
import secrets

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that is mistaken for another letter


def derived(*parts: object) -> str:
    """The same 32 hexadecimal digits for the same parts, whoever asks; parts never run into one another."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        encoded = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return digest.hexdigest()


def drawn(prefix: str) -> str:
    """A new identifier such as `co_k3m9…`, of 12 letters (60 bits)."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(12))}"
