"""Pages of the record list, at once at any place of ten million records.

An order of the list is (column, date, time, lab, plot) in one direction. It is cut into stretches that an index
(column, date) can be walked along: the readings that are there, then the empty ones; for the technician's name, which
stands in another table, one stretch a technician. Within a stretch a page is found by the key of the row before or
after it, or by its position: the posts of a `PositionIndex` say how many rows come before some values of (column,
date), and from there it is a few hundred rows at most.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.constants import FieldNames
from abq_data_entry.fields import READINGS, RECORD_KEY, field
from abq_data_entry.models.connections import rows_as_dicts
from abq_data_entry.models.selection import PositionIndex, Selection, Stretch
from abq_data_entry.models.statements import RECORD_COLUMNS

Row = dict[str, object]

_POST_DISTANCE = 500
_KEY_COLUMNS = tuple(field(name).column for name in RECORD_KEY)


@dataclass(frozen=True)
class _Part:
    """A stretch of the order: the condition of its rows, and the columns that order them."""

    condition: str
    parameters: tuple[object, ...]
    columns: tuple[str, ...]
    names: tuple[str, ...]
    descending: bool

    @property
    def leading(self) -> tuple[str, ...]:
        """The columns that posts stand at: the two that are in an index, or the date alone."""
        return self.columns[:1] if self.columns[0] == "date" else self.columns[:2]

    def order(self, reverse: bool = False) -> str:
        direction = "DESC" if self.descending != reverse else "ASC"
        return ", ".join(f"{column} {direction}" for column in self.columns)

    def values(self, row: Row) -> tuple[object, ...]:
        return tuple(row[name] for name in self.names)


def count_records(cursor: Cursor, selection: Selection) -> PositionIndex:
    """Count the rows of the selection, exactly, and set the posts; run it in a snapshot."""
    stretches = tuple(_count_part(cursor, part) for part in _parts(cursor, selection))
    return PositionIndex(selection, sum(stretch.total for stretch in stretches), stretches)


def get_page_at(cursor: Cursor, selection: Selection, rows: int, start: int, index: PositionIndex | None) -> list[Row]:
    """Return up to `rows` records from the position `start` on (0 is the first)."""
    page: list[Row] = []
    parts = _parts(cursor, selection)
    stretches: Sequence[Stretch | None] = index.stretches if index is not None else ()
    if len(stretches) != len(parts):
        # Not counted, or a technician came since: walk from the beginning.
        stretches = [None] * len(parts)
    skipped = start
    for part, stretch in zip(parts, stretches, strict=True):
        if stretch is not None and skipped >= stretch.total and not page:
            skipped -= stretch.total
            continue
        before, post = stretch.post_before(skipped) if stretch is not None else (0, None)
        found = _walk(cursor, part, rows - len(page), from_post=post, offset=skipped - before)
        if stretch is None and not found and skipped:
            skipped -= min(skipped, _count_rows(cursor, part))
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
    parts = _parts(cursor, selection)
    home = next((place for place, part in enumerate(parts) if _holds(selection, part, key)), 0)
    following = parts[home::-1] if before else parts[home:]
    page: list[Row] = []
    for part in following:
        beside = part.values(dict(key)) if part is parts[home] else None
        found = _walk(cursor, part, rows - len(page), beside=beside, reverse=before)
        page = found + page if before else page + found
        if len(page) >= rows:
            break
    return page


def get_last_page(cursor: Cursor, selection: Selection, rows: int) -> list[Row]:
    """Return the last `rows` records of the order."""
    page: list[Row] = []
    for part in reversed(_parts(cursor, selection)):
        page = _walk(cursor, part, rows - len(page), reverse=True) + page
        if len(page) >= rows:
            break
    return page


def _parts(cursor: Cursor, selection: Selection) -> list[_Part]:
    condition, parameters = _filters(selection)
    if selection.sort == FieldNames.TECHNICIAN:
        by_date = replace(selection, sort=FieldNames.DATE)
        names = [name for name in _technicians(cursor, selection) if selection.technician in (None, name)]
        return [part for name in names for part in _parts(cursor, replace(by_date, technician=name))]
    sort = field(selection.sort)
    own = [] if sort.name in RECORD_KEY else [sort]
    leading = [sort] if sort.name in RECORD_KEY else own
    ordered = [*leading, *(field(name) for name in RECORD_KEY if name != sort.name)]
    by_column = _Part(
        condition,
        parameters,
        tuple(each.column for each in ordered),
        tuple(each.name for each in ordered),
        selection.descending,
    )
    if sort.name not in READINGS:
        return [by_column]
    there = replace(by_column, condition=f"{condition} AND {sort.column} IS NOT NULL")
    empty = replace(
        by_column, condition=f"{condition} AND {sort.column} IS NULL", columns=_KEY_COLUMNS, names=RECORD_KEY
    )
    return [there, empty]


def _filters(selection: Selection) -> tuple[str, tuple[object, ...]]:
    filters = (
        ("date = %s", selection.date),
        ("lab_id = %s", selection.lab),
        ("plot = %s", selection.plot),
        ("lab_tech_id = (SELECT id FROM lab_techs WHERE name = %s)", selection.technician),
    )
    used = [(condition, value) for condition, value in filters if value is not None]
    return " AND ".join(["true", *(condition for condition, _ in used)]), tuple(value for _, value in used)


def _technicians(cursor: Cursor, selection: Selection) -> list[str]:
    cursor.execute("SELECT name FROM lab_techs")
    names = [name for (name,) in cursor.fetchall()]
    return sorted(names, key=lambda name: (name.casefold(), name), reverse=selection.descending)


def _holds(selection: Selection, part: _Part, key: Mapping[str, object]) -> bool:
    """Tell whether the record stands in this stretch."""
    if selection.sort == FieldNames.TECHNICIAN:
        return part.parameters[-1] == key[FieldNames.TECHNICIAN]
    if selection.sort in READINGS:
        return (part.columns == _KEY_COLUMNS) == (key[selection.sort] is None)
    return True


def _walk(
    cursor: Cursor,
    part: _Part,
    rows: int,
    *,
    beside: tuple[object, ...] | None = None,
    from_post: tuple[object, ...] | None = None,
    offset: int = 0,
    reverse: bool = False,
) -> list[Row]:
    """Return rows of one stretch in its order: after the row `beside` (`reverse`: before it), or from a post on."""
    condition, parameters = part.condition, list(part.parameters)
    if beside is not None:
        comparison = "<" if part.descending != reverse else ">"
        condition += f" AND ({', '.join(part.columns)}) {comparison} ({', '.join(['%s'] * len(beside))})"
        parameters += beside
    if from_post is not None:
        comparison = "<=" if part.descending else ">="
        condition += f" AND ({', '.join(part.leading)}) {comparison} ({', '.join(['%s'] * len(from_post))})"
        parameters += from_post
    order = part.order(reverse)
    page = f"SELECT * FROM plot_checks WHERE {condition} ORDER BY {order} LIMIT %s OFFSET %s"
    cursor.execute(
        f"SELECT {RECORD_COLUMNS} FROM ({page}) AS p LEFT JOIN lab_techs AS t ON t.id = p.lab_tech_id"
        f" ORDER BY {_qualified(part, reverse)}",
        [*parameters, rows, offset],
    )
    found = rows_as_dicts(cursor)
    return found[::-1] if reverse else found


def _qualified(part: _Part, reverse: bool) -> str:
    return ", ".join(f"p.{each}" for each in part.order(reverse).split(", "))


def _count_part(cursor: Cursor, part: _Part) -> Stretch:
    leading = ", ".join(part.leading)
    order = ", ".join(part.order().split(", ")[: len(part.leading)])
    cursor.execute(
        f"""
        WITH steps AS (
            SELECT {leading}, count(*) AS rows FROM plot_checks WHERE {part.condition} GROUP BY {leading}
        ), counted AS (
            SELECT {leading}, rows, sum(rows) OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING)::bigint AS through,
                lead(true) OVER (ORDER BY {order}) IS NULL AS is_last
            FROM steps
        )
        SELECT {leading}, through - rows AS before, through FROM counted
        WHERE is_last OR (through - rows - 1) / {_POST_DISTANCE} <> (through - 1) / {_POST_DISTANCE}
            OR through = rows
        ORDER BY {order}
        """,
        part.parameters,
    )
    posts = cursor.fetchall()
    total = posts[-1][-1] if posts else 0
    return Stretch(total, tuple(post[-2] for post in posts), tuple(tuple(post[:-2]) for post in posts))


def _count_rows(cursor: Cursor, part: _Part) -> int:
    cursor.execute(f"SELECT count(*) FROM plot_checks WHERE {part.condition}", part.parameters)
    return int(cursor.fetchall()[0][0])
