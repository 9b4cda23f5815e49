"""One folder, one Lockstep, secrets for its owner only."""

import base64
import json
import stat
from pathlib import Path

import pytest

from lockstep.project.data_folder import FORMAT, DataFolder, DataFolderError


def test_a_second_lockstep_is_told_who_is_there(tmp_path: Path) -> None:
    first = DataFolder(tmp_path / "data")
    first.acquire()
    first.note_running({"LOCKSTEP_BASE_URL": "http://127.0.0.1:8000"})
    with pytest.raises(DataFolderError, match=r"already running .* at http://127\.0\.0\.1:8000"):
        DataFolder(tmp_path / "data").acquire()
    first.release()
    second = DataFolder(tmp_path / "data")
    second.acquire()
    second.release()


def test_the_running_one_is_only_believed_while_it_holds_the_lock(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.acquire()
    folder.note_running({"DATABASE_URL": "postgres:///x"})
    assert DataFolder(tmp_path).running() == {"DATABASE_URL": "postgres:///x"}
    note = (tmp_path / "running.json").read_text()
    folder.release()
    (tmp_path / "running.json").write_text(note)  # as a killed one leaves it
    assert DataFolder(tmp_path).running() == {}


def test_secrets_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    made = folder.ensure_secrets()
    assert DataFolder(tmp_path).ensure_secrets() == made
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    assert len(base64.urlsafe_b64decode(made["LOCKSTEP_ENCRYPTION_KEYS"])) == 32
    assert len(made["LOCKSTEP_SECRET_KEY"]) >= 32


def test_a_secret_that_a_later_version_needs_is_added_beside_the_old(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    made = folder.ensure_secrets()
    kept = {name: value for name, value in made.items() if name != "SANDBOX_API_KEY"}
    (tmp_path / "secrets.json").write_text(json.dumps(kept))
    again = folder.ensure_secrets()
    assert again["SANDBOX_API_KEY"] != made["SANDBOX_API_KEY"]
    assert {name: again[name] for name in kept} == kept


def test_passwords_are_easy_to_type_and_differ(tmp_path: Path) -> None:
    passwords = {DataFolder(tmp_path / str(n))._password() for n in range(50)}
    assert len(passwords) == 50
    for password in passwords:
        assert [len(group) for group in password.split("-")] == [4, 4, 4]
        assert not set("il1o0") & set(password)


def test_a_newer_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "format").write_text(f"{FORMAT + 1}\n")
    with pytest.raises(DataFolderError, match="written by a newer Lockstep"):
        DataFolder(tmp_path).acquire()
    assert not DataFolder(tmp_path).is_in_use


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "format").write_text("docx\n")
    with pytest.raises(DataFolderError, match="Lockstep folder"):
        DataFolder(tmp_path).acquire()
