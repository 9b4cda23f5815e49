"""What values there are: lists, tags, people."""

from typing import Literal

from ninja import Path, Query, Router, Schema
from pydantic import Field

from lockstep.api.authentication import AccessToken, Asked
from lockstep.api.problems import ERRORS, Problem
from lockstep.api.shapes import Id
from lockstep.apps.book.models import ListValue, Tag
from lockstep.apps.book.queries import history_page, list_values, reps_by_email, tags
from lockstep.apps.integrations.scopes import Scope

router = Router(tags=["Lists and history"])

_KINDS = {
    "statuses": ListValue.Kind.STATUS,
    "industries": ListValue.Kind.INDUSTRY,
    "departments": ListValue.Kind.DEPARTMENT,
}


class ValueShape(Schema):
    id: int
    name: str
    retired: bool = Field(description="No longer given to anybody new.")


class ValuesAnswer(Schema):
    items: list[ValueShape]


class TagsAnswer(Schema):
    items: list[str]


class PersonShape(Schema):
    id: int
    email: str


class PeopleAnswer(Schema):
    items: list[PersonShape]


class HistoryItem(Schema):
    at: str
    who: str
    action: str
    changes: list[tuple[str, str, str]] = Field(description="What, old and new, as people read them.")


class HistoryAnswer(Schema):
    next: str | None
    items: list[HistoryItem]


class HistoryWanted(Schema):
    cursor: str = Field("", max_length=4_000)
    size: int = Field(30, ge=1, le=200)


@router.get(
    "/lists/{kind}",
    auth=AccessToken(Scope.BOOK_READ),
    response={200: ValuesAnswer, ERRORS: Problem},
    summary="Read a list of values",
)
def read_list(request: Asked, kind: Path[Literal["statuses", "industries", "departments"]]) -> ValuesAnswer:
    """In the company's own order."""
    values = list_values(request.auth.actor, _KINDS[kind], retired=True, counts=False)
    return ValuesAnswer(
        items=[ValueShape(id=value.id, name=value.name, retired=value.retired) for value in values]
    )


@router.get(
    "/tags/{kind}",
    auth=AccessToken(Scope.BOOK_READ),
    response={200: TagsAnswer, ERRORS: Problem},
    summary="Read the tags of clients or of contacts",
)
def read_tags(request: Asked, kind: Path[Literal["client", "contact"]]) -> TagsAnswer:
    """By name."""
    return TagsAnswer(items=[tag.name for tag in tags(request.auth.actor, Tag.Kind(kind), counts=False)])


@router.get(
    "/people",
    auth=AccessToken(Scope.BOOK_READ),
    response={200: PeopleAnswer, ERRORS: Problem},
    summary="Read who can be a client rep",
)
def read_people(request: Asked) -> PeopleAnswer:
    """Everybody with a seat in the company."""
    people = sorted(reps_by_email(request.auth.actor).items())
    return PeopleAnswer(items=[PersonShape(id=user_id, email=email) for email, user_id in people])


@router.get(
    "/history/{kind}/{subject_id}",
    auth=AccessToken(Scope.BOOK_READ),
    response={200: HistoryAnswer, ERRORS: Problem},
    summary="Read who changed a client or contact",
)
def read_history(
    request: Asked,
    kind: Path[Literal["client", "contact"]],
    subject_id: Path[Id],
    wanted: Query[HistoryWanted],
) -> HistoryAnswer:
    """Newest first."""
    page = history_page(
        request.auth.actor, subject=kind, subject_id=subject_id, cursor=wanted.cursor, size=wanted.size
    )
    return HistoryAnswer(
        next=page.next,
        items=[
            HistoryItem(at=row.at.isoformat(), who=row.who, action=row.action, changes=list(row.changes))
            for row in page.rows
        ],
    )
