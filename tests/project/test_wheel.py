"""What a wheel holds is what the sources hold: no template, style or migration stays behind."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import lockstep

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_every_source_file_is_in_it(wheel: Path) -> None:
    source = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("lockstep/")}
    assert packed == source
    assert "lockstep/py.typed" in packed
    assert any("/migrations/0001_" in name for name in packed)


def test_the_command_runs_from_it(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
        (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "lockstep = lockstep.cli.main:main" in archive.read(entry_points).decode()
    program = "import lockstep, sys; print(lockstep.__file__); from lockstep.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, "--help"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(tmp_path))
    assert "start everything on this machine" in done.stdout


def test_the_version_is_said_once_too_often_but_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert lockstep.__version__ == project["version"]
