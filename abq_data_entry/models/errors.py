"""The errors of the models, and what psycopg2's errors mean in words.

Every message is a sentence for users; `detail` is the technical part. Neither contains statements or passwords.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from abq_data_entry import fields

if TYPE_CHECKING:
    import psycopg2

    from abq_data_entry.models.records import VersionedRecord

class DatabaseError(Exception):
    """The database could not do what was asked. `str()` says what happened and what to do.

    `detail` is the server's message, without the statement and without secrets; it may be empty.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class LoginFailed(DatabaseError):
    """The server doesn't know the user, or the password is wrong."""


class ServerUnreachable(DatabaseError):
    """No server answered, or the connection was lost. Whether anything was done isn't known."""


class ServerNotReady(ServerUnreachable):
    """The server runs, but accepts no connection: it is starting or recovering, or has too many connections."""


class OutcomeUnknown(ServerUnreachable):
    """The connection was lost during the commit: the write may or may not be done. Writing again is safe."""


class SchemaMissing(DatabaseError):
    """The database, or a table in it, isn't there."""


class SchemaTooNew(DatabaseError):
    """A newer version of this application made the database."""


class PrivilegeMissing(DatabaseError):
    """The user may not do this in the database."""


class WritesRefused(DatabaseError):
    """The server answers, but can't store anything: its disk or memory is full, or it is read-only."""


class WindowOutdated(WritesRefused):
    """The schema was migrated to a newer version while this program was open: it can still read, but no longer save."""


class DatabaseDamaged(DatabaseError):
    """The database's own files are damaged: neither what it returns nor what it stores can be trusted."""


class QueryCancelled(DatabaseError):
    """The query was cancelled, by `cancel_query` or because it took too long."""


class NotThroughPooler(DatabaseError):
    """This needs a session of our own, and a pooler in transaction mode doesn't give us one."""


class TookTooLong(DatabaseError):
    """The server answers, but a statement took longer than allowed, so the connection was closed. Nothing was done."""


class RecordExists(DatabaseError):
    """There is a record of that date, time, lab and plot already: `key` has these four, by field name.

    `theirs` is the record in the database, if it could be read.
    """

    def __init__(self, message: str, key: Mapping[str, object], theirs: VersionedRecord | None = None) -> None:
        super().__init__(message)
        self.key: dict[str, object] = dict(key)
        self.theirs = theirs


class RecordConflict(DatabaseError):
    """Somebody else changed the record since it was opened.

    `key`: as in `RecordExists`; `theirs`: the record that is in the database now.
    """

    def __init__(self, message: str, key: Mapping[str, object], theirs: VersionedRecord) -> None:
        super().__init__(message)
        self.key: dict[str, object] = dict(key)
        self.theirs = theirs


class CheckChanged(DatabaseError):
    """Somebody else changed the technician of a check since it was read: `technician` is the present one."""

    def __init__(self, message: str, technician: str) -> None:
        super().__init__(message)
        self.technician = technician


class RecordMissing(DatabaseError):
    """The record to be changed is no longer there: `key` has its date, time, lab and plot, by field name."""

    def __init__(self, message: str, key: Mapping[str, object]) -> None:
        super().__init__(message)
        self.key: dict[str, object] = dict(key)


class RecordInvalid(DatabaseError, ValueError):
    """The record is invalid: `errors` has a sentence for each invalid field."""

    def __init__(self, errors: Mapping[str, str], detail: str = "") -> None:
        super().__init__(fields.in_one_line(errors), detail)
        self.errors: dict[str, str] = dict(errors)


class ObservationInvalid(DatabaseError, ValueError):
    """The weather observation can't be stored: its time is invalid, or it has no value."""


class ObservationElsewhere(ObservationInvalid):
    """The weather observation can't be stored: there is one of another station with the same time."""


_ASK_ADMINISTRATOR = "Ask the administrator of the database"
_APPLY = (
    "an administrator has to apply the schema once, with `abq-data-entry db init` or"
    " `psql --dbname {database} --file create_db.sql`"
)

_GRANT = (
    'An administrator has to give it a role: GRANT abq_technician TO "{user}"; (to enter records; abq_qa reads them,'
    " abq_supervisor may do more)."
)

_SUPERVISOR = (
    'Technicians, labs and plots are changed by whoever has the role abq_supervisor, or owns the tables. An'
    ' administrator can give it: GRANT abq_supervisor TO "{user}";'
)
_OF_SUPERVISORS = re.compile(r"\b(?:table|relation) (?:lab_techs|labs|plots)$")

_OTHER_LAB = "This login doesn't belong to that lab, and nothing was saved. {ask}: `abq-data-entry db set-labs`."

_DAMAGED = "The database reports that its files are damaged. {ask} before anything else is saved."

_TOO_MANY = "The database has too many connections at the moment, and accepts no more."

# By SQLSTATE or the beginning of one, longest first (PostgreSQL manual, appendix A).
_STATEMENTS: tuple[tuple[str, type[DatabaseError], str], ...] = (
    ("AB004", WindowOutdated, "The database was brought to a newer version meanwhile. Close this window and install the"
     " newer version of ABQ Data Entry; what is saved until then waits on this computer."),
    ("42501", PrivilegeMissing, "This user may not do that in the database. {grant}"),
    ("42P01", SchemaMissing, "The tables of ABQ Data Entry are missing in this database: {apply}."),
    ("42703", SchemaMissing, "The tables in this database are of an older version: {apply}."),
    ("3F000", SchemaMissing, "The tables of ABQ Data Entry are missing in this database: {apply}."),
    ("53100", WritesRefused, "The disk of the database is full. {ask} to free some space."),
    ("53300", ServerNotReady, _TOO_MANY),
    ("53", WritesRefused, "The database has run out of memory. {ask} if that lasts."),
    ("57014", QueryCancelled, "The query was cancelled."),
    ("57", ServerUnreachable, "The database is shutting down or starting. Try again in a moment."),
    ("55P03", DatabaseError, "Somebody else is changing the same data and didn't finish. Try again in a moment."),
    ("40", DatabaseError, "Somebody else changed the same data at the same time. Try again."),
    ("25006", WritesRefused, "This database can only be read: it is a standby or was set so. {ask}."),
    ("25P03", ServerUnreachable, "The database ended the connection because it was idle. Try again."),
    ("08", ServerUnreachable, "The connection to the database was lost. Try again."),
    ("22", DatabaseError, "The database refused a value: it is too large, too long or of the wrong kind."),
    ("23", DatabaseError, "The database refused the data: they break one of its rules."),
    ("58", DatabaseDamaged, _DAMAGED),
    ("XX", DatabaseDamaged, _DAMAGED),
)

_STARTING = r"starting up|not yet accepting|recovery mode"  # after a crash, too
_FULL = r"too many (clients|connections)|remaining connection slots|no more connections allowed"

# libpq has no SQLSTATE for a failed login, so its message is matched: only that of the first host that answered.
_LOGINS: tuple[tuple[str, type[DatabaseError], str], ...] = (
    (_STARTING, ServerNotReady,
     "The database is just starting, perhaps after a crash, and accepts no connections yet."),
    (r"shutting down|not accepting", ServerUnreachable, "The database is shutting down. Try again in a moment."),
    (r"authentication method requirement", LoginFailed,
     "The server asks for the password in a form that could be read or used by others (clear or MD5), so it was not"
     " sent. {ask}: it must be stored with password_encryption = 'scram-sha-256', and pg_hba.conf ask for that."),
    (r"password authentication failed|28P01", LoginFailed, "The user name or the password is wrong."),
    (r"no password supplied", LoginFailed, "The database asks for a password."),
    (r"role .* does not exist|Peer authentication failed|is not permitted to log in", LoginFailed,
     "The database doesn't know this user, or doesn't let it log in."),
    (r"no pg_hba.conf entry.*no encryption", LoginFailed,
     "The database lets this user in with encryption only, or not from this computer: check the setting db_sslmode."
     " {ask} (the file pg_hba.conf)."),
    (r"no pg_hba.conf entry", LoginFailed,
     "The database doesn't let this user log in from this computer. {ask} (the file pg_hba.conf)."),
    (r"valid data directory|database subdirectory|could not (open|read) file|invalid page|file .* is missing",
     DatabaseDamaged, _DAMAGED),
    (r"permission denied for database", PrivilegeMissing, "This user may not connect to this database. {ask}."),
    (r"database .* does not exist", SchemaMissing,
     "There is no database {database} on this server. {ask} to create it: `createdb {database}`, then apply"
     " create_db.sql."),
    (_FULL, ServerNotReady, _TOO_MANY),
    (r"root certificate file .* does not exist|could not read root certificate", ServerUnreachable,
     "The file of certificate authorities {root} is missing or can't be read: check the setting db_sslrootcert."),
    (r"does not match host name", ServerUnreachable,
     "The certificate of the database server is for another name than {host}: check the setting db_host. {ask}."),
    (r"certificate has expired", ServerUnreachable, "The certificate of the database server has expired. {ask}."),
    (r"certificate verify failed|self.signed certificate|unable to get local issuer", ServerUnreachable,
     "The certificate of the database server isn't signed by the authority in {root}, or has expired: this may be"
     " another server than it says, or db_sslrootcert names the wrong file. {ask}."),
    (r"does not support SSL", ServerUnreachable,
     "The database server offers no encryption, and the setting db_sslmode wants it. {ask}."),
    (r"certificate|SSL|TLS", ServerUnreachable,
     "No secure connection to the database: its certificate or its TLS mode is not what the settings ask for."),
    (r"could not translate host name|Name or service not known|nodename nor servname", ServerUnreachable,
     "The name of the database server is unknown: check the setting db_host and the network."),
    (r"timeout expired|timed out", ServerUnreachable,
     "The database server didn't answer in time: check the network, and the settings db_host and db_port."),
    (r"refused|No such file or directory|No route to host|unreachable", ServerUnreachable,
     "No database answers there: check that the server runs, and the settings db_host and db_port."),
    (r"session is (read-only|not read-write)|hot standby", ServerUnreachable,
     "No server of the cluster takes changes at the moment. Try again in a minute."),
    (r"unsupported startup parameter", ServerUnreachable,
     "There is a connection pooler in front of the database, and it refuses the options of the connection. {ask}."),
    (r"authentication failed|no such user|auth.* failed|28000", LoginFailed, "The database refused the login."),
    (r"no such database", SchemaMissing, "The connection pooler knows no database {database}. {ask}."),
    (r"FATAL|pgbouncer|pooler", ServerUnreachable, "The database refuses connections at the moment. Try again later."),
)


def describe_statement(error: psycopg2.Error, endpoint: Mapping[str, str]) -> DatabaseError:
    """Return our error for one that a statement on an open connection has raised."""
    state = error.pgcode or ""
    detail = _detail(error)
    column = error.diag.column_name
    if state == "23502" and column:
        return RecordInvalid({column: f"{column} is required."}, detail)
    if state == "42501" and "row-level security" in (error.diag.message_primary or ""):
        return PrivilegeMissing(_filled(_OTHER_LAB, endpoint), detail)
    if state == "42501" and _OF_SUPERVISORS.search(error.diag.message_primary or ""):
        return PrivilegeMissing(_filled(f"This user may not do that in the database. {_SUPERVISOR}", endpoint), detail)
    for beginning, kind, sentence in _STATEMENTS:
        if state and state.startswith(beginning):
            return kind(_filled(sentence, endpoint), detail)
    if is_lost(error):
        return ServerUnreachable("The connection to the database was lost. Try again.", detail)
    return DatabaseError("The database could not do that.", detail)


def describe_connection(error: psycopg2.Error, endpoint: Mapping[str, str]) -> DatabaseError:
    """Return our error for one that was raised while connecting."""
    said = str(error)
    detail = without_secrets(said, endpoint)
    for pattern, kind, sentence in _LOGINS:
        if re.search(pattern, said, re.IGNORECASE):
            return kind(_filled(sentence, endpoint), detail)
    return ServerUnreachable("The database could not be reached.", detail)


def is_lost(error: psycopg2.Error) -> bool:
    """Return whether the error means that the connection is gone."""
    import psycopg2  # not at the top: the start needs the classes of this module, but not psycopg2

    if isinstance(error, psycopg2.InterfaceError):
        return True
    state = error.pgcode
    if state is None:
        return isinstance(error, psycopg2.OperationalError | psycopg2.DatabaseError)
    return state.startswith(("08", "57P", "25P03"))


def is_not_ready(error: psycopg2.Error) -> bool:
    """Return whether a server refused a connection but will soon accept one: it is starting, or recovering from a
    crash, or has too many connections at the moment."""
    return re.search(f"{_STARTING}|{_FULL}", str(error), re.IGNORECASE) is not None


def without_secrets(text: str, endpoint: Mapping[str, str]) -> str:
    """Return the text with the password (as a whole word) replaced, in case libpq ever quotes it."""
    password = endpoint.get("password", "")
    return re.sub(rf"(?<!\w){re.escape(password)}(?!\w)", "***", text).strip() if password else text.strip()


def _detail(error: psycopg2.Error) -> str:
    """Return the server's primary message; never `str(error)`, which quotes the statement."""
    primary = error.diag.message_primary
    if primary:
        parts = [primary, error.diag.message_hint or "", f"({error.pgcode})"]
        return " ".join(part for part in parts if part)
    return "the connection is closed" if error.pgcode is None else error.pgcode


def _filled(sentence: str, endpoint: Mapping[str, str]) -> str:
    database = endpoint.get("dbname", "abq")
    return sentence.format(
        ask=_ASK_ADMINISTRATOR,
        apply=_APPLY.format(database=database),
        database=database,
        host=endpoint.get("host", ""),
        user=endpoint.get("user", ""),
        root=endpoint.get("sslrootcert") or "~/.postgresql/root.crt",
        grant=_GRANT.format(user=endpoint.get("user", "")),
    )
