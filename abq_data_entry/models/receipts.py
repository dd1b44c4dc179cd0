"""What receivers answered to deliveries: `delivery_receipts`, `mailbox_messages` and their functions."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor

from abq_data_entry.models.connections import Connections
from abq_data_entry.models.errors import OutcomeUnknown

_KNOWN = "SELECT message FROM mailbox_messages WHERE mailbox = %s AND message = ANY (%s)"
_ANSWERED = """
    SELECT id::text, file_name, date, version, destination, address, sha256::text FROM deliveries
    WHERE id = ANY (%s::uuid[]) OR sha256 = ANY (%s) ORDER BY created
"""
_KEEP = "SELECT keep_answers(%s, %s, %s)"
_SETTLE = "SELECT settle_receipts(%s::uuid[], %s)"
_COLUMNS = """
    SELECT delivery::text, received, sender, message_id, verdict, words, file_name, date, version, destination,
        digest::text
    FROM delivery_receipts JOIN deliveries ON deliveries.id = delivery
"""
_OF_THESE = f"{_COLUMNS} WHERE delivery = ANY (%s::uuid[]) ORDER BY received, digest"
_UNSETTLED = f"{_COLUMNS} WHERE delivery = ANY (%s::uuid[]) AND settled IS NULL ORDER BY received, digest"


class Answered(NamedTuple):
    """A delivery that a mail may be about."""

    identifier: str
    file_name: str
    date: datetime.date
    version: int
    destination: str
    address: str
    sha256: str


class Receipt(NamedTuple):
    """What a receiver answered to a delivery. `verdict`: accepted, refused, or answer; `received`: when it was read;
    `digest`: of the mail."""

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
        """What it says, in one line."""
        said = {"accepted": "Accepted by", "refused": "Refused by"}.get(self.verdict, "Answer of")
        return f"{said} {self.sender or 'somebody'}: {' '.join(self.words.split())}".rstrip(": ")


class Receipts:
    """The part of `SQLModel` that knows receivers' answers."""

    _connections: Connections

    def known_mails(self, mailbox: str, names: Sequence[str]) -> set[str]:
        """Which of these mails of a mailbox somebody has read already."""
        bound = (mailbox, list(names))
        return {row[0] for row in self._connections.read(partial(_rows, statement=_KNOWN, bound=bound))}

    def find_answered(self, identifiers: Iterable[str], digests: Iterable[str]) -> list[Answered]:
        """The deliveries with one of these numbers (32 hexadecimal digits), or whose file has one of these digests."""
        bound = ([*identifiers], [*digests])
        rows = self._connections.read(partial(_rows, statement=_ANSWERED, bound=bound))
        return [Answered(row[0].replace("-", ""), *row[1:]) for row in rows]

    def keep_answers(self, mailbox: str, mail: str, answers: Sequence[Mapping[str, object]]) -> int:
        """Keep what a mail answers (the columns of `delivery_receipts`), and that it was read; return how many are new.

        The same mail again changes nothing.
        """
        bound = (mailbox, mail, json.dumps(answers))
        try:
            return int(self._connections.write(partial(_rows, statement=_KEEP, bound=bound))[0][0])
        except OutcomeUnknown:
            return int(self._connections.write(partial(_rows, statement=_KEEP, bound=bound))[0][0])

    def get_receipts(self, deliveries: Sequence[str], *, unsettled: bool = False) -> list[Receipt]:
        """What was answered to these deliveries, the oldest first; `unsettled`: what their outbox hasn't heard of."""
        if not deliveries:
            return []
        statement = _UNSETTLED if unsettled else _OF_THESE
        rows = self._connections.read(partial(_rows, statement=statement, bound=(list(deliveries),)))
        return [Receipt(row[0].replace("-", ""), *row[1:]) for row in rows]

    def settle_receipts(self, heard: Sequence[Receipt]) -> None:
        """Say that the outbox which has these deliveries knows of these answers; not of others that came meanwhile."""
        bound = ([each.delivery for each in heard], [each.digest for each in heard])
        self._connections.write(partial(_rows, statement=_SETTLE, bound=bound))

    def mailbox_alone(self) -> AbstractContextManager[bool]:
        """Within the block no other workstation reads the mailbox; False if one does so just now.

        It only spares work: a mail that two read is kept once.
        """
        return self._connections.alone("mailbox")

    def mailbox_watched(self) -> AbstractContextManager[bool]:
        """The same for who waits until the mailbox tells news."""
        return self._connections.alone("mailbox watched")


def _rows(cursor: Cursor, statement: str, bound: Sequence[object]) -> list[tuple[Any, ...]]:
    cursor.execute(statement, bound)
    return [*cursor.fetchall()]
