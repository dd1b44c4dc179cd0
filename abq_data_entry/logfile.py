"""The log file: events and tracebacks, for the help desk. It is kept small, and must not contain secrets.

Events also go to a log server, if a setting names one (`log_targets`).

Based on `logging.FileHandler`: importing the standard library's rotating handler takes 10 ms or more at every start,
and it doesn't support several processes (a window and a command) that share one file.
"""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from . import folders, log_targets
from .constants import SETTINGS_FILE

NAME = "abq-data-entry.log"
LARGEST = 1_000_000  # bytes of one file
FILES = 3
LONGEST = 64 * 1024
"""Characters of one message, and of one traceback, that are kept."""

# We never log secrets. This is a second line of defence, for messages of libraries that contain one.
_SECRETS = r"""(?ix)
    (?P<name> pass(?:word|wd|phrase|code)? | secret | token | authorization | cookie )
    (?P<sign> ["']? \s* [=:] \s* ) (?: "[^"]*" | '[^']*' | (?:(?:basic|bearer)\s+)? \S+ )
  | (?P<address> \b [a-z][a-z0-9+.-]{0,20}:// [^\s/@:]{0,200} : ) [^\s/@]{1,200} @"""


@contextmanager
def logging_to_file() -> Iterator[None]:
    """Write a log in `folders.log_folder()` while the block runs: our events from INFO, others' from WARNING on.

    If the log can't be written, the program goes on without it.
    """
    handler = _LogFile(folders.log_folder() / NAME)
    root, ours = logging.getLogger(), logging.getLogger(__package__)
    level = ours.level
    ours.setLevel(logging.INFO)
    root.addHandler(handler)
    sender = log_targets.open_target(log_targets.chosen(folders.config_folder() / SETTINGS_FILE), one_line)
    if sender is not None:
        root.addHandler(sender)
    try:
        yield
    finally:
        if sender is not None:
            root.removeHandler(sender)
            sender.close()  # before the file is closed, to which it logs events that couldn't be sent
        root.removeHandler(handler)
        ours.setLevel(level)
        handler.close()


def one_line(text: str) -> str:
    """Return the text in one line without secrets, so that a line break in it can't forge a log record."""
    return _shown(without_secrets(text[:LONGEST] + "…" * (len(text) > LONGEST)))


def without_secrets(text: str) -> str:
    """Return the text with what follows "password=" and the like, and passwords in URLs, masked."""

    def black_out(found: re.Match[str]) -> str:
        return f"{found['address']}***@" if found["address"] else f"{found['name']}{found['sign']}***"

    return re.sub(_SECRETS, black_out, text)  # compiled at its first use, not at every start


def _shown(text: str) -> str:
    """Return the text with unprintable characters escaped: line breaks, control characters, direction marks."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return " " if character.isspace() and character > "\x7f" else character.encode("unicode_escape").decode()


class _Lines(logging.Formatter):
    """Formats an event as a line, with the traceback indented below, all without secrets."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s [%(process)d] %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        record.message = record.getMessage()
        record.asctime = self.formatTime(record)
        lines = [one_line(self.formatMessage(record))]
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        for each in without_secrets(trace[-LONGEST:]).splitlines():  # its end says what went wrong
            lines.append(f"    {_shown(each)}")
        return "\n".join(lines)


class _LogFile(logging.FileHandler):
    """The newest of a few files (older ones end with .1 and .2); several processes may write to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace", delay=True)
        self._path = path
        self.setFormatter(_Lines())

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError, ValueError):
            self._turn_over()
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore a full disk, instead of printing to the program's output; report mistakes of ours, for the tests."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def _open(self):  # type: ignore[no-untyped-def]  # the type of an open file differs between Python versions
        folders.log_folder(create=True)
        if os.name == "posix":
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600))
        return super()._open()

    def _turn_over(self) -> None:
        """Start a new file when this one is full, or switch to the one that another process has started."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._let_go()
            return
        if found.st_size >= LARGEST:
            self._let_go()
            with suppress(OSError):  # on Windows another process may have it open: then it grows a little more
                for number in range(FILES - 1, 0, -1):
                    older = self._numbered(number - 1)
                    if older.exists():
                        older.replace(self._numbered(number))
        elif self.stream is not None and not os.path.samestat(found, os.fstat(self.stream.fileno())):
            self._let_go()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{NAME}.{number}") if number else self._path

    def _let_go(self) -> None:
        if self.stream is not None:
            self.stream.close()
            self.stream = None  # as FileHandler itself does; the next record opens it
