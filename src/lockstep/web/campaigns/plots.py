"""Columns of numbers as plots: where each bar stands, what the axes say. Pure; templates draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from lockstep.apps.campaigns.queries import Bucket, CampaignRow, MailedCampaign
from lockstep.web.wording import percent

__all__ = ["Bar", "Column", "Plot", "over_time", "shares", "times_of_contact"]

HEIGHT = 100
"""The plot is so many units high; a bar's `height` is in them."""

COLUMN = 100
"""Each column is so many units wide."""


@dataclass(frozen=True, slots=True)
class Series:
    """One kind of bar: its name, and its key in the stylesheet (opens, clicks, machine)."""

    key: str
    name: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, in units of the plot."""

    key: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """One place on the axis below: its bars, its full name, and its values as people read them."""

    name: str
    short: str
    """Under the axis; '' where there is no room."""
    texts: Sequence[str]
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot, ready to be drawn, and to be read out as a table with a row for each column."""

    label: str
    series: Sequence[Series]
    columns: Sequence[Column]
    lines: Sequence[tuple[float, str]]
    """Where a line goes across, from the top, and what stands beside it."""

    @property
    def width(self) -> int:
        return COLUMN * len(self.columns)

    @property
    def height(self) -> int:
        return HEIGHT

    @property
    def labels(self) -> Sequence[tuple[float, str]]:
        """What stands under the axis, at most seven, and where: per cent from the left."""
        whole = len(self.columns)
        return [
            (round(100 * (number + 0.5) / whole, 2), column.short)
            for number, column in enumerate(self.columns)
            if column.short
        ]


def _ceiling(value: float) -> tuple[float, int]:
    """A round number not below the value, and into how many steps it is parted."""
    if value <= 4:
        steps = max(1, math.ceil(value))
        return float(steps), steps
    size = 1.0
    while size * 10 < value:
        size *= 10
    for factor, steps in ((1, 4), (2, 4), (3, 3), (4, 4), (5, 5), (6, 3), (8, 4), (10, 5)):
        if size * factor >= value:
            return size * factor, steps
    raise AssertionError("ten times the size is above the value")


def _draw(
    label: str,
    series: Sequence[Series],
    rows: Sequence[tuple[str, str, Sequence[float], Sequence[str]]],
    unit: str = "",
) -> Plot:
    """`rows` are (name, short name, a value for each series, those values as texts)."""
    top, steps = _ceiling(max((max(values) for _, _, values, _ in rows), default=0) or 1)
    few = max(1, -(-len(rows) // 6))
    wide = 70 / len(series)
    columns = []
    for number, (name, short, values, texts) in enumerate(rows):
        bars = [
            Bar(
                one.key,
                round(number * COLUMN + 15 + place * wide, 2),
                round(HEIGHT - HEIGHT * value / top, 2),
                round(wide * 0.9, 2),
                round(HEIGHT * value / top, 2),
            )
            for place, (one, value) in enumerate(zip(series, values, strict=True))
            if value > 0
        ]
        columns.append(Column(name, short if number % few == 0 else "", list(texts), bars))
    lines = [
        (round(HEIGHT - HEIGHT * step / steps, 2), f"{top * step / steps:,.0f}{unit}")
        for step in range(steps + 1)
    ]
    return Plot(label, series, columns, lines)


OPENED = Series("opens", "Opens")
CLICKED = Series("clicks", "Clicks")
MACHINE = Series("machine", "Opens by programs")


def over_time(buckets: Sequence[Bucket]) -> Plot | None:
    """Opens and clicks of one campaign, hour by hour or day by day; None without any."""
    if not buckets:
        return None
    rows = []
    for bucket in buckets:
        begin = timezone.localtime(bucket.begin)
        rows.append(
            (
                _from_on(begin, bucket.length),
                _short(begin, bucket.length),
                (bucket.opens, bucket.clicks, bucket.machine_opens),
                [f"{value:,}" for value in (bucket.opens, bucket.clicks, bucket.machine_opens)],
            )
        )
    return _draw("Opens and clicks over time", (OPENED, CLICKED, MACHINE), rows)


def _from_on(begin: datetime, length: timedelta) -> str:
    day = f"{begin.day} {begin:%b %Y}"
    return f"{day}, {begin:%H:%M}" if length < timedelta(days=1) else day


def _short(begin: datetime, length: timedelta) -> str:
    return f"{begin:%H:%M}" if length < timedelta(hours=6) else f"{begin.day} {begin:%b}"


def shares(campaigns: Sequence[CampaignRow]) -> Plot | None:
    """Share of the recipients who opened and clicked, campaign by campaign, the oldest first."""
    rows = []
    for row in reversed(campaigns):
        sent = timezone.localtime(row.sent_at)
        values = (row.figures.open_share or 0, row.figures.click_share or 0)
        texts = [percent(row.figures.open_share), percent(row.figures.click_share)]
        rows.append((f"{row.title}, {sent.day} {sent:%b %Y}", f"{sent.day} {sent:%b}", values, texts))
    if not rows:
        return None
    series = (Series("opens", "Opened"), Series("clicks", "Clicked"))
    return _draw("Share of the recipients who opened and clicked", series, rows, unit="%")


def times_of_contact(campaigns: Sequence[MailedCampaign]) -> Plot | None:
    """How often a contact opened and clicked, by campaign, the oldest first; of the newest twelve."""
    rows = []
    for row in reversed(campaigns[:12]):
        sent = timezone.localtime(row.sent_at)
        values = (row.figures.human_opens, row.figures.clicks)
        rows.append(
            (
                f"{row.title}, {sent.day} {sent:%b %Y}",
                f"{sent.day} {sent:%b}",
                values,
                [f"{value:,}" for value in values],
            )
        )
    if not rows:
        return None
    return _draw("Opens and clicks by campaign", (OPENED, CLICKED), rows)
