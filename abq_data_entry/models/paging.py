"""Pages of the record list, at once at any place of ten million records.

Within a part of the order a page is found by the key of the row before or after it, or by its position: the posts of
a `PositionIndex` say how many rows come before some values of (column, date), and from there it is some hundred rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import FieldNames
from abq_data_entry.models.connections import rows_as_dicts
from abq_data_entry.models.counting import count_rows
from abq_data_entry.models.orders import Part, beyond, parts_of, place_of
from abq_data_entry.models.selection import PositionIndex, Selection, Stretch
from abq_data_entry.models.statements import RECORD_COLUMNS

Row = dict[str, object]


def get_page_at(cursor: Cursor, selection: Selection, rows: int, start: int, index: PositionIndex | None) -> list[Row]:
    """Return up to `rows` records from the position `start` on (0 is the first)."""
    page: list[Row] = []
    parts = parts_of(cursor, selection)
    stretches: Sequence[Stretch | None] = index.stretches if index is not None else ()
    if len(stretches) != len(parts):
        # Not counted, or a technician came since: walk from the beginning.
        stretches = [None] * len(parts)
    skipped = start
    for part, stretch in zip(parts, stretches, strict=True):
        # What came since it was counted may stand behind the last row that was.
        if stretch is not None and skipped >= stretch.total and not page and part is not parts[-1]:
            skipped -= stretch.total
            continue
        before, post = stretch.post_before(skipped) if stretch is not None else (0, None)
        found = _walk(cursor, part, rows - len(page), from_post=post, offset=skipped - before)
        if stretch is None and not found and skipped:
            skipped -= min(skipped, count_rows(cursor, part))
            continue
        page += found
        skipped = 0
        if len(page) >= rows:
            break
    return page


def get_page_beside(
    cursor: Cursor, selection: Selection, rows: int, key: Mapping[str, object], before: bool
) -> list[Row]:
    """Return up to `rows` records that follow the record `key` in the order, or that come before it."""
    parts = parts_of(cursor, selection)
    home = place_of(parts, selection, key)
    page: list[Row] = []
    for place in range(home, -1, -1) if before else range(home, len(parts)):
        part = parts[place]
        beside = part.values(key) if place == home else None
        found = _walk(cursor, part, rows - len(page), beside=beside, reverse=before)
        page = found + page if before else page + found
        if len(page) >= rows:
            break
    return page


def get_last_page(cursor: Cursor, selection: Selection, rows: int) -> list[Row]:
    """Return the last `rows` records of the order."""
    page: list[Row] = []
    for part in reversed(parts_of(cursor, selection)):
        page = _walk(cursor, part, rows - len(page), reverse=True) + page
        if len(page) >= rows:
            break
    return page


def get_position(cursor: Cursor, selection: Selection, record: Mapping[str, object]) -> int | None:
    """Return how many records of the selection come before this one, `None` if it isn't among them.

    Counts them, so it is for selections of some thousands.
    """
    wanted = {
        FieldNames.DATE: selection.date,
        FieldNames.LAB: selection.lab,
        FieldNames.PLOT: selection.plot,
        FieldNames.TECHNICIAN: selection.technician,
    }
    if any(value is not None and record[name] != value for name, value in wanted.items()):
        return None
    parts = parts_of(cursor, selection)
    home = place_of(parts, selection, record)
    part = parts[home]
    condition = part.condition + beyond(part.columns, ">" if part.descending else "<")
    cursor.execute(
        f"SELECT count(*) FROM plot_checks WHERE {condition}", [*part.parameters, *part.values(record)]
    )
    return int(cursor.fetchall()[0][0]) + sum(count_rows(cursor, each) for each in parts[:home])


def _walk(
    cursor: Cursor,
    part: Part,
    rows: int,
    *,
    beside: tuple[object, ...] | None = None,
    from_post: tuple[object, ...] | None = None,
    offset: int = 0,
    reverse: bool = False,
) -> list[Row]:
    """Return rows of one part in its order: after the row `beside` (`reverse`: before it), or from a post on."""
    condition, parameters = part.condition, list(part.parameters)
    if beside is not None:
        condition += beyond(part.columns, "<" if part.descending != reverse else ">")
        parameters += beside
    if from_post is not None:
        condition += beyond(part.leading, "<=" if part.descending else ">=")
        parameters += from_post
    page = f"SELECT * FROM plot_checks WHERE {condition} ORDER BY {part.order(reverse)} LIMIT %s OFFSET %s"
    cursor.execute(
        f"SELECT {RECORD_COLUMNS} FROM ({page}) AS p LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id"
        f" ORDER BY {part.order(reverse, 'p.')}",
        [*parameters, rows, offset],
    )
    found = rows_as_dicts(cursor)
    return found[::-1] if reverse else found
