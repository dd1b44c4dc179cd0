"""The company's notices, and messages between people at workstations; their tables are in `create_db.sql`.

Notices are stored in the database so that one workstation fetches the feed once an hour for all, and a notice that
somebody has read is marked as read for them at every workstation.
"""

from __future__ import annotations

import datetime
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.counting import one_line
from abq_data_entry.models.connections import Connections, rows_as_dicts
from abq_data_entry.models.errors import DatabaseError
from abq_data_entry.models.marks import call_as
from abq_data_entry.models.undoing import NOBODY_NAMED, By

UNREAD_DAYS = 30
"""Notices older than these days don't count as unread, so that new users needn't go through them."""

_FOR_READERS = "Only those who enter records can fetch notices and mark them as read."
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
    """A notice of the company. `words` is plain text, `link` the URL of its page or '', `unread` is by the reader."""

    id: int
    published: datetime.datetime
    title: str
    words: str
    link: str
    unread: bool


class Noticeboard(NamedTuple):
    """All notices of a source, newest first. `fetched`: the last success; `answered`: the last response of any kind;
    `problem`: why the last fetch failed ('': it didn't); `not_before`: the earliest time of the next fetch, by
    Retry-After (RFC 9110, 10.2.3); `due`: it is time to fetch."""

    notices: Sequence[Notice] = ()
    fetched: datetime.datetime | None = None
    answered: datetime.datetime | None = None
    problem: str = ""
    not_before: datetime.datetime | None = None
    due: bool = True

    @property
    def unread(self) -> Sequence[Notice]:
        """The notices that the reader hasn't read."""
        return [each for each in self.notices if each.unread]


class Notices:
    """The notices of a database: `SQLModel.notices`. `by`: the reader; methods raise the errors of `Marks`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def board(self, source: str, *, by: By = NOBODY_NAMED) -> Noticeboard:
        """Return the notices of a source and its state; the reader is `by`, else the login's person."""
        found: Noticeboard = self._connections.read(partial(_board, bound={"source": source, "reader": by.author}))
        return found

    def ask(self, source: str, *, forced: bool = False, by: By = NOBODY_NAMED) -> Mapping[str, object]:
        """Ask the database whether this workstation may fetch from the source; see `ask_for_notices`, `create_db.sql`.

        `forced`: even if somebody has fetched within the hour.
        """
        found = call_as(self._connections, _ASK, {"source": source, "forced": forced}, by, _FOR_READERS, {})
        assert isinstance(found, dict)
        return found

    def keep(self, source: str, answer: Mapping[str, object], *, by: By = NOBODY_NAMED) -> int:
        """Store the source's response; return how many notices are new, or were changed."""
        bound = {"source": source, "answer": json.dumps(answer, default=datetime.datetime.isoformat)}
        return self._call_with_retry(_KEEP, bound, by)

    def read(self, those: Sequence[int], *, by: By = NOBODY_NAMED) -> int:
        """Mark these as read by `by`; return how many weren't read before."""
        return self._call_with_retry(_READ, {"those": list(those)}, by)

    def _call_with_retry(self, statement: str, bound: Mapping[str, object], by: By) -> int:
        """Call the SQL function, which is idempotent, and call it again if the outcome is unknown."""
        return int(str(call_as(self._connections, statement, bound, by, _FOR_READERS, {}, is_repeatable=True)))


def _board(cursor: Cursor, bound: Mapping[str, object]) -> Noticeboard:
    cursor.execute(_STATUS, bound)
    status = rows_as_dicts(cursor)
    cursor.execute(_NOTICES, bound)
    notices = [_shown(Notice(**row)) for row in rows_as_dicts(cursor)]  # type: ignore[arg-type]
    return Noticeboard(notices, **status[0]) if status else Noticeboard(notices)  # type: ignore[arg-type]


def _shown(notice: Notice) -> Notice:
    """Return the notice without control characters: anybody who may write with SQL may have written it."""
    words = "".join(each if each == "\n" or each.isprintable() else " " for each in notice.words)
    return replace(notice, title=one_line(notice.title), words=words, link=one_line(notice.link))


LONGEST = 640
"""Characters of a message."""
KEPT_DAYS = 30
MOST_SHOWN = 200
"""How many messages a window lists at most; older ones are still in the database."""

_FOR_SENDERS = "Only those who enter records can send messages."
_SENT, _ABSENT, _UNKNOWN = "sent", "absent", "unknown"
_SEND = "SELECT send_message(%(words)s, %(person)s, %(lab)s, %(number)s::uuid)"
_TAKE = "SELECT take_messages(%(at_lab)s, %(read)s::uuid[])"
_IS_TO = """
    (m.recipient = %(reader)s OR m.recipient IS NULL AND m.sender <> %(reader)s
        AND (m.lab_id IS NULL OR m.lab_id = %(at_lab)s::bpchar))
"""
_UNTAKEN = f"""
    SELECT EXISTS (
        SELECT FROM shift_messages AS m WHERE {_IS_TO} AND m.sent >= now() - interval '{KEPT_DAYS} days'
            AND NOT EXISTS (SELECT FROM shift_message_readers WHERE message = m.id AND reader = %(reader)s)
    )
"""
_UNREAD = "SELECT count(*) FROM shift_message_readers WHERE reader = %(reader)s AND read IS NULL"
_COLUMNS = f"""
    SELECT m.id::text, m.sent, m.sender, m.login::text, changed_by(m.login, m.sender) AS from_whom,
        coalesce(m.workstation, '') AS workstation, m.lab_id AS lab, m.recipient AS person, m.words,
        ARRAY(SELECT reader FROM shift_message_readers WHERE message = m.id ORDER BY delivered, reader LIMIT 20)
            AS reached,
        ARRAY(SELECT reader FROM shift_message_readers WHERE message = m.id AND read IS NOT NULL
            ORDER BY read, reader LIMIT 20) AS read_by,
        EXISTS (SELECT FROM shift_message_readers WHERE message = m.id AND reader = %(reader)s AND read IS NULL)
            AS unread
    FROM shift_messages AS m
    WHERE m.sent >= now() - interval '{KEPT_DAYS} days'
"""
_OWN = f"""
    SELECT * FROM (
        {_COLUMNS} AND (m.sender = %(reader)s
            OR EXISTS (SELECT FROM shift_message_readers WHERE message = m.id AND reader = %(reader)s))
    ) AS own ORDER BY unread OR id = ANY (%(kept)s) DESC, sent DESC, id LIMIT %(limit)s
"""
_ALL = f"""
    {_COLUMNS} AND (%(person)s::text IS NULL OR lower(m.recipient) = lower(%(person)s))
        AND (%(lab)s::text IS NULL OR m.lab_id = %(lab)s::bpchar)
    ORDER BY m.sent DESC, m.id LIMIT %(limit)s
"""


class AddresseeUnknown(DatabaseError):
    """There is no such technician or lab, or it is retired."""


class Addressee(NamedTuple):
    """The recipient of a message: a technician, or whoever works at a lab; with neither, everybody."""

    person: str | None = None
    lab: str | None = None

    @property
    def named(self) -> str:
        """The recipient in words."""
        return self.person or (f"lab {self.lab}" if self.lab is not None else "all")


TO_ALL = Addressee()


@dataclass(frozen=True)
class ShiftMessage:
    """A message. `login`: the sender's login at the server; `sender`: the person named by the application; `from_whom`:
    both, if they differ. `reached` and `read_by`: the first 20 readers. `unread`: by the reader."""

    id: str
    sent: datetime.datetime
    sender: str
    login: str
    from_whom: str
    workstation: str
    lab: str | None
    person: str | None
    words: str
    reached: Sequence[str]
    read_by: Sequence[str]
    unread: bool

    @property
    def addressee(self) -> Addressee:
        """The recipient."""
        return Addressee(self.person, self.lab)

    @property
    def line(self) -> str:
        """The text, without control characters."""
        return one_line(self.words)


class Inbox(NamedTuple):
    """The messages that somebody sent or got, unread ones first, then newest first. `unread`: how many, also beyond the
    list."""

    messages: Sequence[ShiftMessage] = ()
    unread: int = 0


class ShiftMessages:
    """The methods of `SQLModel` about messages. `by`: who calls them; they raise the errors of `Marks`."""

    _connections: Connections

    def send_message(self, to: Addressee, words: str, *, number: str = "", by: By = NOBODY_NAMED) -> str:
        """Send a message; return the result as a sentence. `number`: an idempotency key, a UUID.

        Raises `AddresseeUnknown` if nobody has that name, and `DatabaseError` if it can't be sent, such as a text that
        is too long.
        """
        bound = {"person": to.person, "lab": to.lab, "words": words, "number": number or str(uuid.uuid4())}
        if "\0" in words:  # PostgreSQL can't store it
            raise DatabaseError("A message is one line without control characters. It was not sent.")
        answer = self._call_message_function(_SEND, bound, by)
        assert isinstance(answer, dict)
        if answer["code"] == _UNKNOWN:
            raise AddresseeUnknown(str(answer["answer"]))
        if answer["code"] not in (_SENT, _ABSENT):
            raise DatabaseError(str(answer["answer"]))
        return str(answer["answer"])

    def take_messages(
        self, at_lab: str | None, read: Sequence[str] = (), *, kept: Sequence[str] = (), by: By
    ) -> Inbox:
        """Return the messages of `by.author`, who works at that lab; new ones are marked as delivered.

        Those with an id in `read` are marked as read; those in `kept` are listed first, read or not. Nothing is written
        if there is nothing new, and nothing was read.
        """
        bound: Mapping[str, object] = {
            "at_lab": at_lab, "read": list(read), "reader": by.author, "limit": MOST_SHOWN, "kept": list(kept)
        }  # fmt: skip
        has_come = bool(self._connections.read(partial(_first, statement=_UNTAKEN, bound=bound)))
        if read or has_come:
            self._call_message_function(_TAKE, bound, by)
        return self._connections.read(partial(_inbox, bound=bound))

    def get_messages(self, to: Addressee = TO_ALL, *, limit: int = 2000) -> Sequence[ShiftMessage]:
        """Return the messages to that person or lab, or (`TO_ALL`) all messages; newest first."""
        bound = {"person": to.person, "lab": to.lab, "reader": "", "limit": limit}
        found: Sequence[ShiftMessage] = self._connections.read(partial(_messages, statement=_ALL, bound=bound))
        return found

    def _call_message_function(self, statement: str, bound: Mapping[str, object], by: By) -> object:
        return call_as(self._connections, statement, bound, by, _FOR_SENDERS, {}, is_repeatable=True)


def _first(cursor: Cursor, statement: str, bound: Mapping[str, object]) -> object:
    cursor.execute(statement, bound)
    return cursor.fetchall()[0][0]


def _messages(cursor: Cursor, statement: str, bound: Mapping[str, object]) -> list[ShiftMessage]:
    cursor.execute(statement, bound)
    return [ShiftMessage(**row) for row in rows_as_dicts(cursor)]  # type: ignore[arg-type]


def _inbox(cursor: Cursor, bound: Mapping[str, object]) -> Inbox:
    unread = int(str(_first(cursor, _UNREAD, bound)))
    return Inbox(_messages(cursor, _OWN, bound), unread)
