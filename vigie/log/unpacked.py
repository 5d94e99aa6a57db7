"""How large a compressed batch would be: a few kilobytes may unpack to gigabytes, and end the worker each time."""

import zlib
from collections.abc import Callable

import lz4.frame
import zstandard

MAX_UNPACKED_BYTES = 64_000_000  # a broker takes batches of one megabyte; JSON packs to a tenth
_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to ask for gzip's header


def _unpack_gzip(packed: bytes, limit: int) -> bytes:
    return zlib.decompressobj(_GZIP).decompress(packed, limit)


def _unpack_lz4(packed: bytes, limit: int) -> bytes:
    unpacked: bytes = lz4.frame.LZ4FrameDecompressor().decompress(packed, max_length=limit)
    return unpacked


def _unpack_zstd(packed: bytes, limit: int) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as reader:
        return reader.read(limit)


# By the codec's number in the attributes of a batch. Snappy (2) packs to a twentieth at best.
_UNPACK: dict[int, Callable[[bytes, int], bytes]] = {1: _unpack_gzip, 3: _unpack_lz4, 4: _unpack_zstd}


def check_unpacked_size(codec: int, packed: bytes) -> None:
    """Raise `ValueError` where `packed` unpacks to more than may be; also raises what unpacking raises."""
    unpack = _UNPACK.get(codec)
    if unpack and len(unpack(packed, MAX_UNPACKED_BYTES + 1)) > MAX_UNPACKED_BYTES:
        raise ValueError(f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes")
