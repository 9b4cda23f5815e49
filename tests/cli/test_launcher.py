"""The script at the root: a bare Python is enough, once is enough, and an interruption does no harm.

Each test runs a real copy of the script in a folder of its own, with a lock file of one small wheel and an
index that is a folder, so that nothing is fetched.
"""

import ast
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

from lockstep.project.embedded_postgres.leftovers import wait_for

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "lockstep"

#: What stands for the real command: tells what it was given, and that the locked package is there.
COMMAND = """
import os, sys, small
print("small", small.version, "home", os.environ["LOCKSTEP_HOME"], "arguments", sys.argv[1:])
"""


@dataclass
class Clone:
    """A folder as ``git clone`` leaves it, with the real script and a small project."""

    root: Path
    index: Path

    def lock(self, name: str, version: str, wrong: bool = False) -> None:
        """Put a wheel into the index and pin it in a lock file."""
        wheel = self.index / f"small-{version}-py3-none-any.whl"
        info = f"small-{version}.dist-info"
        with zipfile.ZipFile(wheel, "w") as file:
            file.writestr("small.py", f"version = '{version}'\n")
            file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: small\nVersion: {version}\n")
            file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            file.writestr(f"{info}/RECORD", "")
        digest = hashlib.sha256(b"other" if wrong else wheel.read_bytes()).hexdigest()
        (self.root / "requirements" / name).write_text(f"small=={version} \\\n    --hash=sha256:{digest}\n")

    def run(self, *arguments: str, **options: object) -> "subprocess.CompletedProcess[str]":
        """Run the script as somebody without uv would."""
        return subprocess.run(
            self.command(*arguments),
            **{"env": self.environment(), "capture_output": True, "text": True, "check": False, **options},
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys._base_executable, str(self.root / "lockstep"), *arguments]

    def environment(self, *first_on_path: Path) -> dict[str, str]:
        path = ":".join([*map(str, first_on_path), "/usr/bin", "/bin"])
        return {
            "PATH": path,
            "HOME": str(self.root.parent),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "PIP_NO_CACHE_DIR": "1",
        }


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    made = Clone(root=tmp_path / "my clone", index=tmp_path / "index")
    package = made.root / "src" / "lockstep" / "cli"
    package.mkdir(parents=True)
    for module in (package.parent / "__init__.py", package / "__init__.py"):
        module.touch()
    (package / "__main__.py").write_text(COMMAND)
    (made.root / "requirements").mkdir()
    made.index.mkdir()
    shutil.copy2(SCRIPT, made.root / "lockstep")
    made.lock("lockstep.txt", "1.0")
    made.lock("dev.txt", "1.0")
    return made


@pytest.fixture
def script() -> ModuleType:
    """The script as a module, for what can't be brought about from outside."""
    loader = SourceFileLoader("lockstep_script", str(SCRIPT))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def test_the_first_start_installs_and_later_ones_do_nothing(clone: Clone, tmp_path: Path) -> None:
    first = clone.run("up", "--port", "9000")
    assert first.returncode == 0, first.stderr
    assert "installing 1 packages with pip" in first.stderr
    assert f"small 1.0 home {clone.root} arguments ['up', '--port', '9000']" in first.stdout

    shutil.rmtree(clone.index)  # whoever would install now would fail
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "small.py").write_text("version = 'of the folder that we happen to be in'\n")
    link = tmp_path / "bin-lockstep"
    link.symlink_to(clone.root / "lockstep")
    again = subprocess.run(
        [sys._base_executable, str(link), "--help"],
        cwd=elsewhere,
        env=clone.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert again.stderr == ""
    assert f"small 1.0 home {clone.root} arguments ['--help']" in again.stdout

    moved = clone.root.rename(tmp_path / "moved")
    clone.root = moved
    clone.index.mkdir()
    clone.lock("lockstep.txt", "2.0")
    third = clone.run("web")
    assert third.returncode == 0, third.stderr
    assert "small 2.0" in third.stdout, "a changed lock file is installed"


def test_development_has_a_lock_of_its_own_that_serves_both(clone: Clone) -> None:
    clone.lock("dev.txt", "3.0")
    assert "small 1.0" in clone.run("up").stdout
    assert "small 3.0" in clone.run("test", "-k", "planner").stdout
    after = clone.run("up")
    assert "small 3.0" in after.stdout
    assert after.stderr == ""


def test_a_package_with_another_hash_is_refused(clone: Clone) -> None:
    clone.lock("lockstep.txt", "1.0", wrong=True)
    refused = clone.run("up")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert refused.stderr.splitlines()[-1].startswith("lockstep: installing failed")
    clone.lock("lockstep.txt", "1.0")
    assert "small 1.0" in clone.run("up").stdout


def test_an_interrupted_install_is_taken_up_again(clone: Clone, tmp_path: Path) -> None:
    fake = tmp_path / "fake"
    fake.mkdir()
    reached = tmp_path / "reached"
    (fake / "uv").write_text(
        "#!/bin/sh\n"
        'case "$1 $2" in\n'
        "  --version*) exit 0 ;;\n"
        f'  "venv "*) for last; do :; done; exec {sys._base_executable} -m venv --without-pip "$last" ;;\n'
        f"  *) touch {reached}; exec sleep 600 ;;\n"
        "esac\n"
    )
    (fake / "uv").chmod(0o755)
    installing = subprocess.Popen(
        clone.command("up"),
        env=clone.environment(fake),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with installing:
        assert wait_for(reached.exists, 60)
        os.killpg(installing.pid, signal.SIGKILL)
    resumed = clone.run("up")
    assert resumed.returncode == 0, resumed.stderr
    assert "small 1.0" in resumed.stdout


def test_an_environment_whose_python_went_away_is_made_anew(clone: Clone) -> None:
    assert clone.run("up").returncode == 0
    python = clone.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nonexistent/python3")
    mended = clone.run("up")
    assert mended.returncode == 0, mended.stderr
    assert "small 1.0" in mended.stdout


def test_a_stand_in_for_uv_that_only_complains_is_passed_over(clone: Clone, tmp_path: Path) -> None:
    fake = tmp_path / "shims"
    fake.mkdir()
    (fake / "uv").write_text("#!/bin/sh\necho 'pyenv: uv: command not found' >&2\nexit 127\n")
    (fake / "uv").chmod(0o755)
    started = clone.run("up", env=clone.environment(fake))
    assert started.returncode == 0, started.stderr
    assert "with pip" in started.stderr


def test_an_old_python_can_read_the_script_and_is_told(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    with pytest.raises(SystemExit) as stopped:
        script.main(["up"])
    assert stopped.value.code == 1
    told = capsys.readouterr().err
    assert "Python 3.11 or newer is needed, and this is 3.9" in told
    assert "apt-get install" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_venv_is_told_what_to_install(
    script: ModuleType,
    module: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(script, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(script, "PYTHON", str(tmp_path / ".venv" / "bin" / "python"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == module else object())
    with pytest.raises(SystemExit) as stopped:
        script.make_environment(None)
    assert stopped.value.code == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "python3-venv" in last


def test_a_clone_that_can_not_be_written_to_is_told(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(SystemExit):
        script.prepare("up")
    assert "can't be written to" in capsys.readouterr().err
