"""Server programs that the tests deliver to: the machine's own, or unpacked from Debian's packages into a folder.

A server of Python packages (moto) is installed into a folder beside them, as `tests/moto.lock` pins them: one of them
is older there than the one that the application's packages need.

Nothing is installed for that, so that no service of theirs starts, two that exclude each other can both be had, and
no right of root is needed. Where they can't be had, the tests that need them are skipped by name.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

PACKAGES = {
    "vsftpd": ("vsftpd",),
    "proftpd": ("proftpd-core", "proftpd-mod-crypto"),
    "sshd": ("openssh-server",),
    "apache2": ("apache2-bin",),
    "nginx": ("nginx-light", "libnginx-mod-http-dav-ext"),
    "strace": ("strace",),
    "rsyslogd": ("rsyslog", "rsyslog-openssl"),
    "dovecot": ("dovecot-core", "dovecot-imapd", "dovecot-pop3d"),
}
POOLER = {"pgbouncer": ("pgbouncer",)}
POSTGRES = {"postgres": ("postgresql",)}
"""A PostgreSQL server that speaks TLS, which that of the wheel doesn't, or one of another version."""
OF_PYTHON = {"moto": Path(__file__).with_name("moto.lock")}
"""Servers that are Python packages, each with its file of pins; what they share with the tests isn't in it."""
_IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
# Root's servers run as a user with few rights, who can't look into every checkout.
FOLDER = Path("/var/cache/abq-test-servers" if _IS_ROOT else Path(__file__).resolve().parents[1] / ".venv/test-servers")
_ADMINISTRATORS = os.pathsep.join(("/usr/local/sbin", "/usr/sbin", "/sbin"))
_PATIENCE = 300  # seconds for a package manager


def find(program: str) -> Path | None:
    """Return where the program is: in the folder, or on the machine; None if it is nowhere (or it isn't Linux)."""
    if sys.platform != "linux":
        return None
    if program in OF_PYTHON:
        installed = FOLDER / program
        return installed if (installed / program / "__init__.py").is_file() else None
    for folder in ("usr/sbin", "usr/bin"):
        unpacked = FOLDER / program / folder / program
        if unpacked.is_file():
            return unpacked
    if program in POSTGRES:
        folders = postgres_folders()
        return folders[0] / program if folders else None
    found = shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), _ADMINISTRATORS)))
    return Path(found) if found else None


def postgres_folders() -> list[Path]:
    """Return where PostgreSQL's server programs are, besides those of the wheel: the newest first."""
    places = (Path("/usr/lib/postgresql"), FOLDER / "postgres/usr/lib/postgresql")
    found = [folder for place in places for folder in place.glob("*/bin") if (folder / "initdb").is_file()]
    return sorted(found, key=lambda folder: int(folder.parent.name), reverse=True)


def shell_tool(name: str) -> Path | None:
    """Return where ssh-keygen, sftp or ssh is: on the machine, or unpacked with sshd; None if it is nowhere."""
    unpacked = FOLDER / "sshd/usr/bin" / name
    found = shutil.which(name)
    return Path(found) if found else unpacked if unpacked.is_file() else None


def root_of(program: Path) -> Path:
    """Return the folder that stands for `/` to a program: its modules lie below it."""
    return program.parents[2]


def environment(program: Path) -> dict[str, str]:
    """Return an environment in which the program finds the libraries that were unpacked along with it."""
    libraries = {str(path.parent) for path in root_of(program).glob("usr/lib/*/*.so.*")} if _is_ours(program) else set()
    return {**os.environ, **({"LD_LIBRARY_PATH": os.pathsep.join(sorted(libraries))} if libraries else {})}


def let_postgres_find_its_libraries() -> None:
    """For all that this process starts: an unpacked PostgreSQL needs libraries that were unpacked along with it."""
    unpacked = FOLDER / "postgres"
    if libraries := {str(path.parent) for path in unpacked.glob("usr/lib/*/*.so.*")}:
        before = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(dict.fromkeys([*filter(None, before), *sorted(libraries)]))


def _is_ours(program: Path) -> bool:
    return FOLDER in program.parents


def provide_all() -> list[str]:
    """Fetch what is missing of everything; return the names of what couldn't be had."""
    return provide() + [program for program, lock in OF_PYTHON.items() if not _installed(program, lock)]


def provide(packages: Mapping[str, tuple[str, ...]] = {**PACKAGES, **POOLER, **POSTGRES}) -> list[str]:
    """Unpack what is missing, on Debian and its kin; return the names of what couldn't be had."""
    missing = [program for program in packages if find(program) is None]
    if not missing or not all(map(shutil.which, ("apt-get", "dpkg"))):
        return missing
    if _IS_ROOT and not any(Path("/var/lib/apt/lists").glob("*Packages*")):
        _tell("Fetching the lists of Debian's packages")
        _run(["apt-get", "update"], FOLDER.parent)
    absent = []
    for number, program in enumerate(missing, 1):
        _tell(f"Fetching {program} for the tests, {number} of {len(missing)}")
        if not _unpack(program, packages[program]):
            absent.append(program)
    return absent


def _tell(what: str) -> None:
    print(f"{what} …", file=sys.stderr, flush=True)


def _installed(program: str, lock: Path) -> bool:
    """Install a server of Python packages into a folder of its own, if it isn't there; return whether it is."""
    if sys.platform != "linux" or find(program) is not None:
        return find(program) is not None
    _tell(f"Fetching {program} for the tests")
    partial = FOLDER / f"{program}.part"
    shutil.rmtree(partial, ignore_errors=True)
    options = ("--quiet", "--disable-pip-version-check", "--retries=1", "--no-compile", "--no-deps", "--require-hashes")
    _run([sys.executable, "-m", "pip", "install", *options, "--target", str(partial), "-r", str(lock)], FOLDER)
    trial = f"import sys; sys.path.insert(0, {str(partial)!r}); import {program}.server; print('it runs')"
    if not _run([sys.executable, "-c", trial], FOLDER):  # on a Python that is too new for it, perhaps
        shutil.rmtree(partial, ignore_errors=True)
        return False
    partial.rename(FOLDER / program)
    return True


def _unpack(program: str, packages: tuple[str, ...]) -> bool:
    """Fetch the packages and what they need that isn't installed, and unpack all of it beside each other."""
    plan = _run(["apt-get", "--simulate", "--no-install-recommends", "install", *packages], FOLDER.parent)
    names = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    if not names:
        return False
    partial = FOLDER / f"{program}.part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _run(["apt-get", "download", *names], partial)
    for archive in sorted(partial.glob("*.deb")):
        _run(["dpkg", "-x", str(archive), str(partial)], partial)
        archive.unlink()
    shutil.rmtree(FOLDER / program, ignore_errors=True)
    partial.rename(FOLDER / program)
    return find(program) is not None


def _run(command: list[str], folder: Path) -> str:
    """Return what the command prints; empty when it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
