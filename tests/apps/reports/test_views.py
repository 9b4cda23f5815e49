"""Saved views: who sees them, who may change them, and what of an address is kept."""

import pytest
from tests.factories import SeatFactory

from lockstep.apps.accounts.permissions import NotPermitted, Role
from lockstep.apps.book.errors import Invalid, NotFound
from lockstep.apps.reports.models import SavedView
from lockstep.apps.reports.queries import find_view, views_of
from lockstep.apps.reports.services import delete_view, kept, rename_view, save_view, share_view

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return SeatFactory()


def colleague(seat, role=Role.SALES):
    return SeatFactory(company=seat.company, role=role).actor()


def test_what_is_kept_are_filters_order_and_columns():
    query = "?status=3&status=4&page=abc&view=9&q=&cols=name&cols=email&sort=-changed&state=New+York"
    assert kept(query) == "status=3&status=4&cols=name&cols=email&sort=-changed&state=New+York"


def test_the_own_name_is_replaced_and_another_person_may_have_it_too(admin):
    first = save_view(admin.actor(), page="report", name=" Gold  clients ", query="tag=1")
    again = save_view(admin.actor(), page="report", name="gold clients", query="tag=2", shared=True)
    assert (again.pk, again.query, again.shared, again.name) == (first.pk, "tag=2", True, "gold clients")
    save_view(admin.actor(), page="contacts", name="Gold clients", query="")
    sales = colleague(admin)
    save_view(sales, page="report", name="Gold clients", query="")
    assert SavedView.objects.count() == 3
    assert [(view.owner_id == sales.user.pk) for view in views_of(sales, "report")] == [True, False]


def test_what_is_not_shared_is_nobody_elses(admin):
    view = save_view(admin.actor(), page="report", name="Mine", query="tag=1")
    sales = colleague(admin)
    assert views_of(sales, "report") == []
    with pytest.raises(NotFound):
        find_view(sales, view.pk)
    share_view(admin.actor(), view_id=view.pk, shared=True)
    assert find_view(sales, view.pk).pk == view.pk
    for stranger in (SeatFactory().actor(),):
        with pytest.raises(NotFound):
            find_view(stranger, view.pk)


def test_a_shared_view_is_changed_by_its_owner_and_by_who_manages_the_company(admin):
    view = save_view(colleague(admin), page="clients", name="Ours", query="", shared=True)
    with pytest.raises(NotPermitted):
        rename_view(colleague(admin, Role.MANAGER), view_id=view.pk, name="Taken")
    with pytest.raises(NotPermitted):
        delete_view(colleague(admin, Role.MANAGER), view_id=view.pk)
    assert rename_view(admin.actor(), view_id=view.pk, name="Everybody’s").name == "Everybody’s"
    delete_view(admin.actor(), view_id=view.pk)
    assert not SavedView.objects.exists()


def test_sharing_takes_the_permission_to_edit(admin):
    reader = colleague(admin, Role.READ_ONLY)
    view = save_view(reader, page="report", name="Mine", query="")
    with pytest.raises(NotPermitted):
        save_view(reader, page="report", name="Ours", query="", shared=True)
    with pytest.raises(NotPermitted):
        share_view(reader, view_id=view.pk, shared=True)


@pytest.mark.parametrize(
    "given", [{"name": "  "}, {"name": "n" * 81}, {"page": "nowhere"}, {"query": "q=" + "x" * 5_000}]
)
def test_what_can_t_be_kept_is_refused_in_words(admin, given):
    with pytest.raises(Invalid) as refused:
        save_view(admin.actor(), **({"page": "report", "name": "Fine", "query": ""} | given))
    assert str(refused.value).endswith((".", "most."))
    assert not SavedView.objects.exists()


def test_two_own_views_never_get_the_same_name(admin):
    save_view(admin.actor(), page="report", name="One", query="")
    two = save_view(admin.actor(), page="report", name="Two", query="")
    with pytest.raises(Invalid):
        rename_view(admin.actor(), view_id=two.pk, name="ONE")
