"""Vigie's roles as processes of their own, and the CPU that processes use."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from vigie.settings import Settings

_TICK = os.sysconf("SC_CLK_TCK")


@contextmanager
def roles(settings: Settings, *commands: str, **environment: str) -> Iterator[list[subprocess.Popen]]:
    """A process for each of `commands`, written as after `vigie`, with these settings and `environment`."""
    variables = {
        **os.environ, "VIGIE_DATA_DIR": str(settings.data_dir), "VIGIE_DATABASE_URL": settings.database,
        "VIGIE_LOG_URL": settings.log, **environment,
    }  # fmt: skip
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "vigie", *command.split()],
            env=variables,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]
    try:
        yield started
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.wait(30)


def cpu(processes: Sequence[subprocess.Popen]) -> float:
    """Seconds of CPU that processes have used."""
    return sum(_spent(Path(f"/proc/{one.pid}")) for one in processes)


def cpu_of(program: str) -> float:
    """Seconds of CPU that every process of that name has used."""
    spent = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if (folder / "comm").read_text().strip() == program:
                spent += _spent(folder)
    return spent


def _spent(folder: Path) -> float:
    fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK
