"""What can go wrong between us and the data. Every message is a sentence for people; `detail` is the technical part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from abq_data_entry import fields

if TYPE_CHECKING:
    from abq_data_entry.models.records import VersionedRecord


class DatabaseError(Exception):
    """The database could not do what it was asked. `str()` says what happened and what to do.

    `detail` holds what the server said, without the statement and without secrets; it may be empty.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class LoginFailed(DatabaseError):
    """The server doesn't know the user, or the password is wrong."""


class ServerUnreachable(DatabaseError):
    """No server answered, or the connection was lost. Nothing of what was asked is known to be done."""


class ServerNotReady(ServerUnreachable):
    """The server is there, but accepts no connection yet: it is starting or recovering, or has too many."""


class OutcomeUnknown(ServerUnreachable):
    """The connection was lost during the commit: the write may or may not be done. To write again is safe."""


class SchemaMissing(DatabaseError):
    """The database, or a table in it, isn't there."""


class SchemaTooNew(DatabaseError):
    """A newer version of this application made the database."""


class RightsMissing(DatabaseError):
    """The user may not do this in the database."""


class WritesRefused(DatabaseError):
    """The server answers, but can store nothing now: its disk is full, its memory used up, or it is read-only."""


class WindowOutdated(WritesRefused):
    """The tables were brought to a newer version while this program was open: it may read, but save nothing more."""


class DatabaseDamaged(DatabaseError):
    """The database's own files are damaged: nothing that it says or stores can be trusted."""


class QueryCancelled(DatabaseError):
    """The query was cancelled, by `cancel_query` or because it took too long."""


class NotThroughPooler(DatabaseError):
    """This needs a session of the server that is ours alone, and a pooler lends us one for a transaction at a time."""


class TookTooLong(DatabaseError):
    """The server answers, but not within the time that this may take, so the connection was ended. Nothing was done."""


class RecordExists(DatabaseError):
    """A record of that date, time, lab and plot is there already: `key` holds these four by field name.

    `theirs` is what stands there, where it could be read.
    """

    def __init__(self, message: str, key: Mapping[str, object], theirs: VersionedRecord | None = None) -> None:
        super().__init__(message)
        self.key: dict[str, object] = dict(key)
        self.theirs = theirs


class RecordConflict(DatabaseError):
    """Somebody else changed the record since it was opened: `key` as above, `theirs` is what stands there now."""

    def __init__(self, message: str, key: Mapping[str, object], theirs: VersionedRecord) -> None:
        super().__init__(message)
        self.key: dict[str, object] = dict(key)
        self.theirs = theirs


class CheckChanged(DatabaseError):
    """Somebody else changed the technician of a check since it was looked at: `technician` does it now."""

    def __init__(self, message: str, technician: str) -> None:
        super().__init__(message)
        self.technician = technician


class RecordMissing(DatabaseError):
    """The record to be changed is no longer there: `key` holds its date, time, lab and plot by field name."""

    def __init__(self, message: str, key: Mapping[str, object]) -> None:
        super().__init__(message)
        self.key: dict[str, object] = dict(key)


class RecordInvalid(DatabaseError, ValueError):
    """The record can't be saved: `errors` holds a sentence for each field that is wrong."""

    def __init__(self, errors: Mapping[str, str], detail: str = "") -> None:
        super().__init__(fields.in_one_line(errors), detail)
        self.errors: dict[str, str] = dict(errors)


class ObservationInvalid(DatabaseError, ValueError):
    """The weather observation can't be stored: its time makes no sense, or it has no value."""


class ObservationElsewhere(ObservationInvalid):
    """The weather observation can't be stored: one of another station stands at the same moment."""
