"""``lockstep import`` on a real database: numbers that add up, and the refused rows in a file."""

import csv
from pathlib import Path

import pytest

from lockstep.apps.accounts.models import Company
from lockstep.apps.book.models import Contact
from lockstep.cli.commands import import_file
from lockstep.cli.failure import Failure

pytestmark = [pytest.mark.postgres, pytest.mark.django_db]

ROWS = """Client Name,Contact First Name,Contact Last Name,Contact Email,No Marketing
Acme,Ann,Lee,ann@example.com,
Acme,Zoë,Müller,zoe@example.com,yes
,Nobody,Knows,lost@example.com,
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "people.csv"
    made.write_text(ROWS, encoding="utf-8")
    return made


@pytest.fixture
def company() -> Company:
    return Company.objects.create(name="Sample")


def test_contacts_arrive_and_refused_rows_are_written_beside(
    file: Path, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_file.run([str(file)]) == 0
    told = capsys.readouterr().out
    assert "Done: 3 rows" in told
    assert "2  new contacts" in told
    assert "1  refused" in told
    assert "1 new clients" in told
    emails = Contact.objects.filter(company=company).values_list("email", flat=True)
    assert sorted(emails) == ["ann@example.com", "zoe@example.com"]
    with (file.parent / "people.refused.csv").open(encoding="utf-8-sig", newline="") as refused:
        rows = list(csv.reader(refused))
    assert rows[1][3] == "lost@example.com"
    assert rows[1][-1], "the reason"


def test_a_second_time_changes_nothing(
    file: Path, company: Company, capsys: pytest.CaptureFixture[str]
) -> None:
    import_file.run([str(file)])
    capsys.readouterr()
    import_file.run([str(file)])
    assert "2  unchanged contacts" in capsys.readouterr().out


def test_a_dry_run_saves_nothing(file: Path, company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_file.run([str(file), "--dry-run"]) == 0
    assert "Checked, nothing saved: 3 rows" in capsys.readouterr().out
    assert not Contact.objects.exists()


def test_the_company_must_be_clear(file: Path) -> None:
    with pytest.raises(Failure, match="no company yet"):
        import_file.run([str(file)])
    first, second = Company.objects.create(name="One"), Company.objects.create(name="Two")
    with pytest.raises(Failure, match="several companies"):
        import_file.run([str(file)])
    with pytest.raises(Failure, match="no company 'Three'"):
        import_file.run([str(file), "--company", "Three"])
    import_file.run([str(file), "--company", "two"])
    import_file.run([str(file), "--company", str(first.pk), "--dry-run"])
    assert Contact.objects.filter(company=second).count() == 2
    assert not Contact.objects.filter(company=first).exists()


def test_what_is_no_table_is_told(tmp_path: Path, company: Company) -> None:
    with pytest.raises(Failure, match="there is no file"):
        import_file.run([str(tmp_path / "missing.csv")])
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(Failure):
        import_file.run([str(tmp_path / "empty.csv")])
