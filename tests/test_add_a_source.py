"""docs/add-a-source.md, followed literally in a copy of the project."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_three_steps_add_a_source(tmp_path):
    for room in ("vigie", "ingest", "analysis", "api", "dashboards", "tests"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file, line, recorded = re.findall(r"```python\n(.*?)```", (ROOT / "docs/add-a-source.md").read_text(), re.S)
    (tmp_path / "ingest/sources/example.py").write_text(file)
    for path, text in (("ingest/sources/__init__.py", line), ("tests/ingest/recorded/__init__.py", recorded)):
        with (tmp_path / path).open("a") as target:
            target.write("\n" + text)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-p", "no:randomly", "tests/ingest/test_sources.py", "-k", "example"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, env={"PATH": "", "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-2_000:] + ran.stderr[-500:]
    assert int(re.search(r"(\d+) passed", ran.stdout)[1]) >= 15
