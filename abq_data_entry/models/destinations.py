"""Destinations in the database, their schedules, and receivers' answers.

The tables `destinations`, `delivery_receipts` and `mailbox_messages` of `create_db.sql`, and their functions.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

import psycopg2
from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.connections import Connections
from abq_data_entry.models.errors import DatabaseError, PrivilegeMissing
from abq_data_entry.stored_destination import StoredDestination

_COLUMNS = ", ".join(StoredDestination._fields)
_LIST = f"SELECT {_COLUMNS} FROM destinations ORDER BY name"
_PROBLEM = "SELECT destination_problem(jsonb_populate_record(NULL::destinations, %s))"
_ADD = f"INSERT INTO destinations ({_COLUMNS}) VALUES ({', '.join(['%s'] * len(StoredDestination._fields))})"
_CHANGE = f"UPDATE destinations SET ({_COLUMNS}) = ROW ({', '.join(['%s'] * len(StoredDestination._fields))})"
_WAITING = """
    SELECT count(*) FROM (
        SELECT DISTINCT ON (date, file_name) state FROM deliveries WHERE destination = %s
        ORDER BY date, file_name, version DESC
    ) AS latest WHERE state IN ('waiting', 'sending', 'failed', 'unknown')
"""
_DUE = """
    SELECT destination, date, occasion, due, present::text, (SELECT address FROM deliveries WHERE id = present),
        due < clock_timestamp() - interval '5 minutes'
    FROM due_deliveries()
"""
_TAKE = "SELECT take_delivery(%s, %s, %s)"
_NOTE = "SELECT note_delivery(%s, %s, %s, %s)"
_OWNER = "Only the owner of the database can change destinations, and those to whom the owner has granted it."


class Due(NamedTuple):
    """A day's extract that is due at a destination by its schedule: on which occasions, and since when.

    `present`: the delivery, sent or waiting, that has the present records; '' if there is none. `address`: that
    delivery's address, since the destination's may have changed. `late`: due for more than 5 minutes, by the server's
    clock.
    """

    destination: str
    date: datetime.date
    occasions: tuple[str, ...]
    since: datetime.datetime
    present: str = ""
    address: str = ""
    late: bool = False


class Destinations:
    """The methods of `SQLModel` about destinations and their schedules."""

    _connections: Connections

    def get_destinations(self) -> dict[str, StoredDestination]:
        """Return the destinations by key, such as `sftp:archive`."""
        return self._connections.read(_read)

    def add_destination(self, row: StoredDestination) -> None:
        """Add a destination. Raises `DatabaseError` if it is invalid, or if there is one of that name."""

        def run(cursor: Cursor) -> None:
            if row.name in [each.name for each in _read(cursor).values()]:
                raise DatabaseError(f"There is a destination {row.name} already.")
            _require_usable(cursor, row)
            _execute_change(cursor, _ADD, row)

        self._connections.write(run)

    def change_destination(self, name: str, changes: Mapping[str, Any]) -> StoredDestination:
        """Change columns of a destination, except name and kind; return the changed one. Raises `DatabaseError`."""

        def run(cursor: Cursor) -> StoredDestination:
            row = destination_named(_read(cursor), name)._replace(**changes)
            _require_usable(cursor, row)
            _execute_change(cursor, f"{_CHANGE} WHERE name = %s", [*row, name])
            return row

        return self._connections.write(run)

    def remove_destination(self, name: str, anyway: bool = False) -> StoredDestination:
        """Remove a destination. Raises `DatabaseError` while deliveries wait to go there, unless `anyway`."""

        def run(cursor: Cursor) -> StoredDestination:
            row = destination_named(_read(cursor), name)
            cursor.execute(_WAITING, (row.key,))
            ((waiting,),) = cursor.fetchall()
            if waiting and not anyway:
                what = "1 delivery" if waiting == 1 else f"{waiting} deliveries"
                raise DatabaseError(
                    f"{what} to {name} didn't arrive yet (`deliveries` on the workstations lists them). Deliver or"
                    " cancel them first, or remove it all the same with --anyway: what waits is set aside then, and can"
                    " be cancelled there."
                )
            _execute_change(cursor, "DELETE FROM destinations WHERE name = %s", (name,))
            return row

        return self._connections.write(run)

    # -- schedules

    def due_deliveries(self) -> list[Due]:
        """Return the scheduled deliveries that are due, by the server's clock and the labs' time zone."""
        return self._connections.read(_due)

    def take_delivery(self, due: Due) -> bool:
        """Take a due delivery, to make it; False if somebody else has it.

        Nobody else gets it for 10 minutes then, and the same login for 25. Raises `DatabaseError` if an open
        transaction has locked it.
        """
        given = (due.destination, due.date, list(due.occasions))
        return bool(self._connections.write(lambda cursor: _answer(cursor, _TAKE, given)))

    def note_delivery(self, due: Due, delivery: str = "") -> None:
        """Record which delivery was made; '': it couldn't be made, and others may try."""
        given = (due.destination, due.date, list(due.occasions), delivery or None)
        self._connections.write(lambda cursor: _answer(cursor, _NOTE, given))

    def try_schedule_lock(self) -> AbstractContextManager[bool]:
        """Hold the advisory lock for schedules in the block; yields False if another workstation holds it.

        It only saves work: any login can hold it, behind a pooler it excludes nobody, and `take_delivery` decides.
        """
        return self._connections.try_lock("deliveries")

    def sees_all_labs(self) -> bool:
        """Return whether this login can read the records of all labs, which may be kept apart."""
        return bool(
            self._connections.read(lambda cursor: _answer(cursor, "SELECT seen_labs(asking_role()) IS NULL", ()))
        )


def _read(cursor: Cursor) -> dict[str, StoredDestination]:
    cursor.execute(_LIST)
    found = [StoredDestination(*row) for row in cursor.fetchall()]
    return {each.key: each for each in found}


def destination_named(stored: Mapping[str, StoredDestination], name: str) -> StoredDestination:
    """Return the destination of that name; raises `DatabaseError`, with the names of all, if there is none."""
    known = {each.name: each for each in stored.values()}
    if name not in known:
        there = f" There are: {', '.join(known)}." if known else " There is none."
        raise DatabaseError(f"There is no destination {name} in the database.{there}")
    return known[name]


def _require_usable(cursor: Cursor, row: StoredDestination) -> None:
    if any("\0" in each for each in row if isinstance(each, str)):
        raise DatabaseError("No text of a destination can hold the character 0. Nothing was changed.")
    problem = _answer(cursor, _PROBLEM, (json.dumps(row._asdict()),))
    if problem is not None:
        raise DatabaseError(f"{problem} Nothing was changed.")


def _execute_change(cursor: Cursor, statement: str, given: Sequence[object]) -> None:
    try:
        cursor.execute(statement, list(given))
    except psycopg2.errors.InsufficientPrivilege as error:
        raise PrivilegeMissing(f"This user may not do that. {_OWNER}", error.diag.message_primary or "") from None
    except psycopg2.errors.CheckViolation as error:  # the row has changed, or the constraints are of an older version
        raise DatabaseError(f"{error.diag.message_primary} Nothing was changed.") from None


def _due(cursor: Cursor) -> list[Due]:
    cursor.execute(_DUE)
    found: dict[tuple[str, datetime.date], Due] = {}
    for destination, date, occasion, since, present, address, late in cursor.fetchall():
        known = found.get((destination, date))
        occasions = (*known.occasions, occasion) if known is not None else (occasion,)
        since = known.since if known is not None else since
        late = late or (known is not None and known.late)
        found[destination, date] = Due(destination, date, occasions, since, present or "", address or "", late)
    return list(found.values())


def _answer(cursor: Cursor, statement: str, given: Sequence[object]) -> object:
    cursor.execute(statement, given)
    return cursor.fetchall()[0][0]


_KNOWN = "SELECT message FROM mailbox_messages WHERE mailbox = %s AND message = ANY (%s)"
_ANSWERED = """
    SELECT id::text, file_name, date, version, destination, address, sha256::text FROM deliveries
    WHERE id = ANY (%s::uuid[]) OR sha256 = ANY (%s) ORDER BY created
"""
_KEEP = "SELECT keep_answers(%s, %s, %s)"
_SETTLE = "SELECT settle_receipts(%s::uuid[], %s)"
_RECEIPT_COLUMNS = """
    SELECT delivery::text, received, sender, message_id, verdict, words, file_name, date, version, destination,
        digest::text
    FROM delivery_receipts JOIN deliveries ON deliveries.id = delivery
"""
_OF_THESE = f"{_RECEIPT_COLUMNS} WHERE delivery = ANY (%s::uuid[]) ORDER BY received, digest"
_UNSETTLED = f"{_RECEIPT_COLUMNS} WHERE delivery = ANY (%s::uuid[]) AND settled IS NULL ORDER BY received, digest"


class Answered(NamedTuple):
    """A delivery that an incoming mail may answer."""

    identifier: str
    file_name: str
    date: datetime.date
    version: int
    destination: str
    address: str
    sha256: str


class Receipt(NamedTuple):
    """A receiver's answer to a delivery. `verdict`: accepted, refused, or answer; `received`: when the mail was read;
    `digest`: SHA-256 of the mail."""

    delivery: str
    received: datetime.datetime
    sender: str
    message_id: str
    verdict: str
    words: str
    file_name: str
    date: datetime.date
    version: int
    destination: str
    digest: str

    @property
    def line(self) -> str:
        """The answer in one line."""
        said = {"accepted": "Accepted by", "refused": "Refused by"}.get(self.verdict, "Answer of")
        return f"{said} {self.sender or 'somebody'}: {' '.join(self.words.split())}".rstrip(": ")


class Receipts:
    """The methods of `SQLModel` about receivers' answers."""

    _connections: Connections

    def known_mails(self, mailbox: str, names: Sequence[str]) -> set[str]:
        """Return which of these mails of a mailbox have been read already."""
        bound = (mailbox, list(names))
        return {row[0] for row in self._connections.read(partial(_rows, statement=_KNOWN, bound=bound))}

    def find_answered(self, identifiers: Iterable[str], digests: Iterable[str]) -> list[Answered]:
        """Return deliveries with one of these identifiers (32 hexadecimal digits), or with a file of these digests."""
        bound = ([*identifiers], [*digests])
        rows = self._connections.read(partial(_rows, statement=_ANSWERED, bound=bound))
        return [Answered(row[0].replace("-", ""), *row[1:]) for row in rows]

    def keep_answers(self, mailbox: str, mail: str, answers: Sequence[Mapping[str, object]]) -> int:
        """Store the answers in a mail (columns of `delivery_receipts`), and that it was read; return how many were new.

        Storing the same mail again changes nothing.
        """
        bound = (mailbox, mail, json.dumps(answers))
        return int(self._connections.write_repeatable(partial(_rows, statement=_KEEP, bound=bound))[0][0])

    def get_receipts(self, deliveries: Sequence[str], *, unsettled: bool = False) -> list[Receipt]:
        """Return the answers to these deliveries, oldest first; `unsettled`: only those not applied to the outbox."""
        if not deliveries:
            return []
        statement = _UNSETTLED if unsettled else _OF_THESE
        rows = self._connections.read(partial(_rows, statement=statement, bound=(list(deliveries),)))
        return [Receipt(row[0].replace("-", ""), *row[1:]) for row in rows]

    def settle_receipts(self, heard: Sequence[Receipt]) -> None:
        """Record that these answers were applied to the outbox; answers that arrived meanwhile stay unsettled."""
        bound = ([each.delivery for each in heard], [each.digest for each in heard])
        self._connections.write(partial(_rows, statement=_SETTLE, bound=bound))

    def try_mailbox_lock(self) -> AbstractContextManager[bool]:
        """Hold the advisory lock for reading the mailbox in the block; yields False if another workstation holds it.

        It only saves work: a mail that two workstations have read is stored once.
        """
        return self._connections.try_lock("mailbox")

    def try_mailbox_watch(self) -> AbstractContextManager[bool]:
        """As `try_mailbox_lock`, but for waiting for new mail."""
        return self._connections.try_lock("mailbox watched")


def _rows(cursor: Cursor, statement: str, bound: Sequence[object]) -> list[tuple[Any, ...]]:
    cursor.execute(statement, bound)
    return [*cursor.fetchall()]
