"""The company's notices as all workstations of a database know them: `notices` and its functions, in `create_db.sql`.

They stand in the database so that one workstation asks the feed once an hour for all, and whoever has read a notice
finds it read at each workstation.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.counting import one_line
from abq_data_entry.models.connections import Connections, rows_as_dicts
from abq_data_entry.models.marks import ask_as
from abq_data_entry.models.undoing import NOBODY_NAMED, By

UNREAD_DAYS = 30
"""Older notices don't count as unread: newcomers needn't go through them."""

_FOR_WHOM = "Only those who enter records can fetch notices and mark them as read."
_ASK = "SELECT ask_for_notices(%(source)s, %(forced)s)"
_KEEP = "SELECT keep_notices(%(source)s, %(answer)s::jsonb)"
_READ = "SELECT read_notices(%(those)s::bigint[])"
_STATUS = """
    SELECT fetched, answered, coalesce(problem, '') AS problem, not_before,
        coalesce(not_before <= now(), true) AND coalesce(answered <= now() - interval '55 minutes', true) AS due
    FROM notice_sources WHERE source = %(source)s
"""
_NOTICES = f"""
    SELECT n.id, n.published, n.title, n.words, coalesce(n.link, '') AS link,
        n.published > now() - interval '{UNREAD_DAYS} days' AND NOT EXISTS (
            SELECT FROM notice_readers
            WHERE notice = n.id AND reader = coalesce(nullif(%(reader)s, ''), asking_person())
        ) AS unread
    FROM notices AS n WHERE n.source = %(source)s ORDER BY n.published DESC, n.id DESC
"""


@dataclass(frozen=True)
class Notice:
    """A notice of the company. `words` is plain text; `link` is the address of its page, or empty; `unread` is meant
    of who asks."""

    id: int
    published: datetime.datetime
    title: str
    words: str
    link: str
    unread: bool


class Noticeboard(NamedTuple):
    """All notices of a source, the newest first; when it was fetched from and last answered at all, why it couldn't be
    (empty: it could), before when its server wants no request, and whether it is time to ask it."""

    notices: Sequence[Notice] = ()
    fetched: datetime.datetime | None = None
    answered: datetime.datetime | None = None
    problem: str = ""
    not_before: datetime.datetime | None = None
    due: bool = True

    @property
    def unread(self) -> Sequence[Notice]:
        """Those that who asks hasn't read."""
        return [each for each in self.notices if each.unread]


class Notices:
    """The notices of a database: `SQLModel.notices`. `by` names who asks; the errors are those of `Marks`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def board(self, source: str, *, by: By = NOBODY_NAMED) -> Noticeboard:
        """Return what is known of a source; without a name in `by`, `unread` is by whose login it is."""
        found: Noticeboard = self._connections.read(partial(_board, bound={"source": source, "reader": by.author}))
        return found

    def ask(self, source: str, *, forced: bool = False, by: By = NOBODY_NAMED) -> Mapping[str, object]:
        """Say that this workstation wants to ask the source; return the answer: see the function in `create_db.sql`.

        `forced`: also if it was asked within the hour.
        """
        found = ask_as(self._connections, _ASK, {"source": source, "forced": forced}, by, _FOR_WHOM, {})
        assert isinstance(found, dict)
        return found

    def keep(self, source: str, answer: Mapping[str, object], *, by: By = NOBODY_NAMED) -> int:
        """Keep what the source answered; return how many notices are new, or were changed."""
        bound = {"source": source, "answer": json.dumps(answer, default=datetime.datetime.isoformat)}
        return self._told_twice(_KEEP, bound, by)

    def read(self, those: Sequence[int], *, by: By = NOBODY_NAMED) -> int:
        """Say that `by` has read these; return how many weren't read before."""
        return self._told_twice(_READ, {"those": list(those)}, by)

    def _told_twice(self, statement: str, bound: Mapping[str, object], by: By) -> int:
        """Once more where it isn't known whether it was done: done twice it is the same."""
        return int(str(ask_as(self._connections, statement, bound, by, _FOR_WHOM, {}, is_repeatable=True)))


def _board(cursor: Cursor, bound: Mapping[str, object]) -> Noticeboard:
    cursor.execute(_STATUS, bound)
    status = rows_as_dicts(cursor)
    cursor.execute(_NOTICES, bound)
    notices = [_shown(Notice(**row)) for row in rows_as_dicts(cursor)]  # type: ignore[arg-type]
    return Noticeboard(notices, **status[0]) if status else Noticeboard(notices)  # type: ignore[arg-type]


def _shown(notice: Notice) -> Notice:
    """Whoever may write with SQL may have written it: nothing in it does something to a screen or a terminal."""
    words = "".join(each if each == "\n" or each.isprintable() else " " for each in notice.words)
    return replace(notice, title=one_line(notice.title), words=words, link=one_line(notice.link))
