"""A disk of a few megabytes, to be filled for real: a tmpfs, where this user may mount one."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.servers import CannotStartError


class Disk:
    """`folder` is its root, which goes with all that is in it on `stop`. Raises `CannotStartError`."""

    def __init__(self, size: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vigie-disk-"))
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", self.folder],
            capture_output=True, text=True,
        )  # fmt: skip
        if mounted.returncode:
            raise CannotStartError(f"a small disk: {mounted.stderr.strip()}")

    def owned_by(self, user: str) -> Path:
        """An empty folder of that user's on it."""
        folder = self.folder / user
        folder.mkdir()
        shutil.chown(folder, user)
        return folder

    def fill(self) -> None:
        """Take all the space that is left."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4_096))
            except OSError:
                return

    def free(self) -> None:
        self._filler.unlink()

    def stop(self) -> None:
        subprocess.run(["umount", "--lazy", self.folder], check=True)
        self.folder.rmdir()

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"
