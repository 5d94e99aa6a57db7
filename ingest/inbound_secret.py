"""Check the signing secret of an inbound webhook before it is stored. Pure."""

import base64
import binascii

from vigie.errors import InvalidInputError

_PREFIX = "whsec_"
# Standard Webhooks asks for 24 bytes; some senders, GitHub's advice among them, make 16.
MIN_BYTES, MAX_BYTES = 16, 64
_MIN_DISTINCT_BYTES = 8


def read_key(secret: str) -> bytes:
    """Return the bytes of a secret, however it is spelt; raises `InvalidInputError` for what is none."""
    try:
        encoded = secret.removeprefix(_PREFIX).rstrip("=")
        padding = "=" * (-len(encoded) % 4)  # some senders leave it out
        return base64.b64decode(encoded + padding, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInputError("the secret is written whsec_ and base64, as the sender shows it") from error


def is_same(secret: str, other: str | None) -> bool:
    """Return whether both verify the same messages."""
    try:
        return other is not None and read_key(secret) == read_key(other)
    except InvalidInputError:
        return False


def check(secret: str) -> None:
    """Raise `InvalidInputError` for a secret that cannot verify anything or could be guessed."""
    key = read_key(secret)
    if not MIN_BYTES <= len(key) <= MAX_BYTES or len(set(key)) < _MIN_DISTINCT_BYTES:
        raise InvalidInputError(f"the secret is too easy to guess: it needs {MIN_BYTES} to {MAX_BYTES} random bytes")
