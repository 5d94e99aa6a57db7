"""Names of IMAP folders: modified UTF-7 (RFC 3501, 5.1.3), as a quoted string."""

import binascii
import re
import unicodedata
from collections.abc import Iterator

_ENCODED = re.compile(r"&(?:[A-Za-z0-9+,]{3,400})?-")
_RUNS = re.compile(r"[\x20-\x7e]+|[^\x20-\x7e]+")


def encode_folder(name: str) -> str:
    """Return a folder's name as a command writes it; one that is already encoded ("Avis re&AOc-us") stays so."""
    is_encoded = name.isascii() and _ENCODED.search(name) is not None
    encoded = name if is_encoded else "".join(_encode_runs(name))
    escaped = encoded.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _encode_runs(name: str) -> Iterator[str]:
    for run in _RUNS.findall(unicodedata.normalize("NFC", name)):
        if run.isascii() and run.isprintable():
            yield run.replace("&", "&-")
        else:
            base64 = binascii.b2a_base64(run.encode("utf-16-be"), newline=False).decode()
            yield f"&{base64.rstrip('=').replace('/', ',')}-"
