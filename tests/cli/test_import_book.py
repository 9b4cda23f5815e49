"""``lockstep import FILE`` on a real database."""

import csv

import pytest

from lockstep.apps.accounts.services import create_company
from lockstep.apps.book.models import Contact
from lockstep.cli import import_book
from lockstep.cli.failure import Failure

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "leads.csv"
    file.write_text(
        "Company,First,Email,Opt out\n"
        "Kestrel,Dana,dana@kestrel.internal,\n"
        "Kestrel,Jon,,yes\n"
        "Oakline,Mina,mina@@oakline,maybe\n",
        encoding="utf-8",
    )
    return file


def test_a_file_is_loaded_and_refused_rows_are_written_beside_it(file, capsys):
    first, second = create_company(name="First"), create_company(name="Second")
    with pytest.raises(Failure, match=r"several companies.*\(First\).*\(Second\)"):
        import_book.run([str(file)])
    assert import_book.run([str(file), "--tag", "Fair", "--company", "first"]) == 1
    out = capsys.readouterr().out
    assert "3 rows = 2 new contacts + 1 refused" in out
    assert "1 contacts with No Marketing" in out
    refused = file.with_name("leads.refused.csv")
    assert str(refused) in out
    with refused.open(encoding="utf-8-sig", newline="") as lines:
        assert list(csv.reader(lines))[1][0] == "Oakline"
    assert Contact.objects.filter(company=first).count() == 2
    assert import_book.run([str(file), "--company", str(second.pk), "--dry-run"]) == 1
    assert "Nothing was saved" in capsys.readouterr().out
    assert not Contact.objects.filter(company=second).exists()


def test_what_cannot_be_done_is_one_message(tmp_path):
    with pytest.raises(Failure, match="there is no file"):
        import_book.run([str(tmp_path / "nothing.csv")])
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    with pytest.raises(Failure, match="there is no company yet"):
        import_book.run([str(empty)])
    create_company(name="First")
    with pytest.raises(Failure, match="The file is empty"):
        import_book.run([str(empty)])
    with pytest.raises(Failure, match="no such company"):
        import_book.run([str(empty), "--company", "999999"])
    no_client = tmp_path / "x.csv"
    no_client.write_text("Email,Phone\na@b.internal,1\n")
    with pytest.raises(Failure, match="client's name"):
        import_book.run([str(no_client)])
