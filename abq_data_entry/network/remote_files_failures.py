"""What can't be done in a folder at a destination, in words for people."""

from __future__ import annotations

from .failures import UserFacingError, with_what_was_said


class FilesRefused(UserFacingError, Exception):
    """It wasn't done; the text says why."""


class AlreadyThere(FilesRefused):
    """Something has that name, and wasn't replaced."""


class NothingThere(FilesRefused):
    """Nothing has that name."""


class BrokenOff(FilesRefused):
    """A transfer ended before it was complete."""

    transient = True


def refusal(what: str, why: str, said: str = "") -> FilesRefused:
    """Return that the server refused something: `what` as `delete a.csv`, `why` as the end of a sentence or empty."""
    return FilesRefused(with_what_was_said(f"The server didn't {what}{f': {why}' if why else ''}.", said))
