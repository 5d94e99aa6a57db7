"""File modes: what Vigie writes is for its own user only."""

import os
import stat
from contextlib import suppress
from pathlib import Path

UMASK = 0o077
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def tighten(folder: Path) -> bool:
    """Take group's and others' rights off `folder` and what is in it; return whether it was looser.

    A folder that is private already is not walked through. Files of another user are left as they are.
    """
    if not folder.is_dir() or not _has_loose_mode(folder):
        return False
    for parent, _, names in os.walk(folder):
        for path in (Path(parent), *(Path(parent) / name for name in names)):
            _make_private(path)
    return True


def _has_loose_mode(path: Path) -> bool:
    return bool(path.stat().st_mode & _OTHERS)


def _make_private(path: Path) -> None:
    with suppress(OSError):
        if not path.is_symlink():
            path.chmod(stat.S_IMODE(path.stat().st_mode) & ~_OTHERS)
