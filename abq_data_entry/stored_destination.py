"""A destination as the database keeps it, for all workstations: a row of the table `destinations`. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import datetime

STORED = "destinations"
"""The name under which the settings that a delivery gets hold those of the database, by their key."""

RECORDS, BY_HAND, CHECK_COMPLETE, EVERY_DAY = "records", "by hand", "when a check is complete", "every day at "


class StoredDestination(NamedTuple):
    """Where files go, which, and when. What is taken is said by `destination_problem` in `create_db.sql`.

    `contents`: records (the day's extract) or the name of a view; `schedule`: by hand, when a check is complete, or
    every day at a time of the labs, as `every day at 20:30`; `checksum`: whether a file .sha256 is sent too.
    `login_method`: one of those of the kind, empty for its usual one; with the header of an API key, or OAuth2's scope.
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
        """What stands for it where a kind of destination does: in the outbox, in `deliveries`, in the keyring."""
        return f"{self.kind}:{self.name}"

    @property
    def local_name(self) -> str:
        """What its files are called in the outbox, with `{date}` for the day."""
        is_extract = self.contents == RECORDS
        return "abq_data_record_{date}.csv" if is_extract else f"abq_{self.contents}_{{date}}.{self.format}"

    def name_of_day(self, date: datetime.date) -> str:
        """What the file of a day is called in the outbox."""
        return self.local_name.replace("{date}", f"{date:%Y-%m-%d}")


def default_file_name(contents: str, form: str) -> str:
    """What a file is called at a destination where nobody says otherwise."""
    return StoredDestination("", "", "", contents=contents, format=form).local_name
