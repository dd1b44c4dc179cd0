"""A destination of the database, for all workstations: a row of the table `destinations`. Without I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import datetime

STORED = "destinations"
"""The key under which a delivery's settings have the destinations of the database, as a dict by their keys."""

RECORDS, BY_HAND, CHECK_COMPLETE, EVERY_DAY = "records", "by hand", "when a check is complete", "every day at "


class StoredDestination(NamedTuple):
    """Which files are sent where, and when. `destination_problem` in `create_db.sql` says what is valid.

    `contents`: records (the day's extract) or the name of a view; `schedule`: by hand, when a check is complete, or
    daily in the labs' time zone, such as `every day at 20:30`; `checksum`: whether a .sha256 file is sent, too.
    `login_method`: one of the kind's, '' for its default; with the header field for an API key, or the OAuth2 scope.
    """

    name: str
    kind: str
    address: str
    login_address: str = ""
    folder: str = ""
    file_name: str = "abq_data_record_{date}.csv"
    contents: str = RECORDS
    format: str = "csv"
    schedule: str = BY_HAND
    username: str = ""
    checksum: bool = False
    login_method: str = ""
    login_header: str = ""
    login_scope: str = ""

    @property
    def key(self) -> str:
        """Its identifier in place of a kind of destination: in the outbox, in `deliveries`, in the keyring."""
        return f"{self.kind}:{self.name}"

    @property
    def local_name(self) -> str:
        """The pattern for the names of its files in the outbox, with `{date}`."""
        is_extract = self.contents == RECORDS
        return "abq_data_record_{date}.csv" if is_extract else f"abq_{self.contents}_{{date}}.{self.format}"

    def name_of_day(self, date: datetime.date) -> str:
        """Return the name of a day's file in the outbox."""
        return self.local_name.replace("{date}", f"{date:%Y-%m-%d}")


def default_file_name(contents: str, form: str) -> str:
    """Return the default name of a file at a destination."""
    return StoredDestination("", "", "", contents=contents, format=form).local_name
