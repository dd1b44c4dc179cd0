"""``.venv``: made from the lock files, and made again when it no longer fits or is incomplete.

Beside the packages the folder has a stamp (which Python, which folder, which lock files), which is written last. During
an installation it also has a marker; if a start finds one, an installation was interrupted.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from abq_data_entry.launcher import EnvironmentProblem
from abq_data_entry.launcher.quick_check import (
    ASKED_PYTHON,
    BUILD_LOCK,
    LOCKS,
    MARKER,
    STAMP,
    change_key,
    is_inside,
    is_usable,
    last_change,
    python_in,
    read_stamp,
    this_python,
)

TYPE_CHECKING = False  # as typing has it, without an import
if TYPE_CHECKING:
    import subprocess

DEVELOPMENT_LOCKS = (*LOCKS, "requirements-dev.lock")
LOG = "abq-install.log"
_INTERCEPTED = ("CERTIFICATE_VERIFY_FAILED", "SSLCertVerificationError", "certificate verify failed")
_INTERCEPTION = (
    "The packages could not be fetched: this network replaces the certificate of the package index by its own, as a "
    "company's proxy does that inspects encrypted connections. Ask your network's administrator for the file of its "
    "certificate authority (PEM), name it, then start again: "
    + ("set PIP_CERT=C:\\path\\to\\ca.pem" if os.name == "nt" else "export PIP_CERT=/path/to/ca.pem")
    + " ({log})"
)


def base_executable() -> str:
    """Return the path of the Python from which this one's environment was made; outside of one, of this Python."""
    base = str(getattr(sys, "_base_executable", "") or sys.executable)
    return os.path.realpath(base) if base == sys.executable and os.name == "posix" else base


class VirtualEnvironment:
    """The environment of one checkout for one set of lock files."""

    def __init__(self, checkout: str | Path, locks: tuple[str, ...] = LOCKS) -> None:
        self.checkout = Path(checkout)
        self.folder = self.checkout / ".venv"
        self.locks = locks
        self.python = Path(python_in(str(self.folder)))

    @property
    def _temporary(self) -> Path:
        """The folder for temporary files of the installation; the next one removes what an interrupted one left."""
        return self.folder / "tmp"

    def is_running(self) -> bool:
        """Return whether this process runs in it."""
        return is_inside(str(self.checkout))

    def fits(self, tk: bool = False) -> bool:
        """Return whether it is complete and made here from these lock files by or for this Python, and has Tk if
        `tk`."""
        stamp = self.stamp()
        return is_usable(str(self.folder), stamp, tk) and all(self._is_from(name, stamp) for name in self.locks)

    def _is_from(self, lock: str, stamp: dict[str, str]) -> bool:
        untouched = stamp.get(change_key(lock)) == last_change(str(self.checkout / lock)) != ""
        return untouched or stamp.get(lock) == self._lock_digest(lock)

    def stamp(self) -> dict[str, str]:
        """Return what the last complete installation noted; empty if there was none."""
        return read_stamp(str(self.folder))

    def prepare(self, tk: bool = False, has_tk: bool = False) -> bool:
        """Make or update it unless it fits; return True if something was installed.

        Two processes may call this at once: the second one waits and finds the work done. ``tk``: it must be able to
        show a window. ``has_tk``: the running Python can; this is noted, so that later starts needn't test it.

        Raises:
            EnvironmentProblem: it could not be made; the text says why in one line.
        """
        if os.pathsep in str(self.folder):
            raise EnvironmentProblem(
                f"{self.checkout} has a {os.pathsep!r} in its name, which separates folders in lists such as PATH: "
                "Python can't make an environment there. Give the folder another name, then start again."
            )
        try:
            with _locked(self.folder.with_name(".venv.lock")) as lock:
                if self.fits() and self.stamp().get("python") == this_python():
                    self._write_stamp(has_tk)  # Tk may have been installed in the meantime
                    return False
                if self.fits(tk):
                    return False
                self._install(lock)
                self._write_stamp(has_tk)
                (self.folder / MARKER).unlink()
        except PermissionError as error:
            raise EnvironmentProblem(
                f"{error.filename or self.checkout} can't be written: start as the owner of the checkout, "
                "or install the application with pip."
            ) from error
        except OSError as error:
            raise EnvironmentProblem(f"{self.folder} could not be made: {error}") from error
        return True

    def _install(self, lock: int) -> None:
        reused = self._can_be_reused()
        what = "Bringing .venv up to date" if reused else "Preparing .venv"
        print(f"{what}: this takes about a minute …", file=sys.stderr, flush=True)
        if not reused:
            self._remove()
            self.folder.mkdir()
        (self.folder / MARKER).touch()
        (self.folder / STAMP).unlink(missing_ok=True)
        (self.folder / LOG).write_text("", "utf-8")
        self._temporary.mkdir(exist_ok=True)
        if not reused:
            self._run([base_executable(), "-I", "-m", "venv", str(self.folder)], lock)
        for name in (BUILD_LOCK, self.locks[-1]):
            # A package without a wheel is built with the pinned setuptools, not with today's newest.
            options = [
                "--require-hashes",
                "--no-build-isolation",
                "--use-pep517",
                "--no-user",
                "--no-input",
                "--disable-pip-version-check",
                "--progress-bar=off",
                "--no-warn-script-location",
            ]
            wanted = self.checkout / name
            if not packages_in(wanted):
                continue
            command = [str(self.python), "-I", "-m", "pip", "install", *options, "-r", str(wanted)]
            self._run(command, lock, packages_in(wanted))
        self._remove_temporary()

    def _can_be_reused(self) -> bool:
        """Return whether packages can be installed into the existing one: it is complete and was made here by this
        Python."""
        if (self.folder / MARKER).exists() or not os.access(self.python, os.X_OK) or not self._pip_is_there():
            return False
        stamp = self.stamp()
        if stamp:
            return stamp.get("python") == this_python() and stamp.get("folder") == os.path.realpath(self.folder)
        return self._was_made_by_hand_here()

    def _was_made_by_hand_here(self) -> bool:
        """Return whether a developer made this environment (it has no stamp) with this Python in this folder: it is
        kept."""
        try:
            lines = (self.folder / "pyvenv.cfg").read_text("utf-8").splitlines()
        except OSError:
            return False
        settings = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
        return (
            settings.get("version", "").startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
            and Path(settings.get("home", "")).resolve() == Path(base_executable()).resolve().parent
            and settings.get("command", "").endswith(f" {self.folder}")
        )

    def _pip_is_there(self) -> bool:
        return any(self.folder.glob("lib/*/site-packages/pip")) or any(self.folder.glob("Lib/site-packages/pip"))

    def _remove(self) -> None:
        import shutil

        if self.folder.is_symlink() or self.folder.is_file():
            self.folder.unlink()
        elif self.folder.exists():
            shutil.rmtree(self.folder)

    def _remove_temporary(self) -> None:
        import shutil

        shutil.rmtree(self._temporary, ignore_errors=True)

    def _run(self, command: list[str], lock: int, packages: int = 0) -> None:
        """Run one step, with its output in the log, and show how many of its packages are done.

        The process inherits the lock: if we are killed, no other start begins while it still runs.
        """
        import subprocess

        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PIP_TARGET")}
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(self._temporary))
        with (self.folder / LOG).open("a", encoding="utf-8") as log:
            inherited = (lock,) if os.name == "posix" else ()
            with subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=inherited,
            ) as process:
                try:
                    code = follow(process, self.folder / LOG, packages)
                except BaseException:  # such as Ctrl-C, which reaches the process only from a terminal
                    process.terminate()
                    raise
        if code:
            self._remove_temporary()
            raise EnvironmentProblem(self._failure())

    def _failure(self) -> str:
        log = self.folder / LOG
        text = log.read_text("utf-8", errors="replace")
        if any(sign in text for sign in _INTERCEPTED):
            return _INTERCEPTION.format(log=log)
        offline = (
            "NewConnectionError",
            "ConnectTimeout",
            "Max retries",
            "Temporary failure",
            "ReadTimeout",
            "Connection broken",
            "connection broken",
            "ProxyError",
            "Name or service",
            "from versions: none",
        )
        if any(sign in text for sign in offline):
            return f"The packages could not be fetched: connect this machine to the network, then start again ({log})."
        lines = [line for line in text.splitlines() if line.strip()]
        reasons = [line for line in lines if line.lower().startswith("error")] or lines or ["no reason given"]
        return f"The packages could not be installed: {reasons[-1].strip()} (everything it said: {log})"

    def remember_locks(self) -> None:
        """Note when the lock files were last changed, so that the next start's quick check is enough."""
        stamp = self.stamp()
        noted = {**stamp, **self._last_changes()}  # taken before the contents are read: a change in between is noticed
        if noted != stamp and all(stamp.get(name) == self._lock_digest(name) for name in self.locks):
            with suppress(OSError):  # somebody else's checkout: the next start reads the lock files again
                self._write(noted)

    def _write_stamp(self, has_tk: bool) -> None:
        changes = self._last_changes()
        stamp = {
            "python": this_python(),
            "asked": os.environ.get(ASKED_PYTHON, this_python()),
            "folder": os.path.realpath(self.folder),
            "tk": "yes" if has_tk else "no",
            **{name: self._lock_digest(name) for name in self.locks},
        }
        self._write({**stamp, **changes})

    def _last_changes(self) -> dict[str, str]:
        return {change_key(name): last_change(str(self.checkout / name)) for name in self.locks}

    def _write(self, stamp: dict[str, str]) -> None:
        unfinished = self.folder / f"{STAMP}.new"
        unfinished.write_text("".join(f"{key}={value}\n" for key, value in stamp.items()), "utf-8")
        unfinished.replace(self.folder / STAMP)

    def _lock_digest(self, name: str) -> str:
        import hashlib  # not at the top: needed only when the environment is made or its lock files were touched

        return hashlib.sha256((self.checkout / name).read_bytes()).hexdigest()


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold the lock of a file; print a line if another process has it. It is released when our process ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not _take(descriptor, wait=False):
            print("Another start is preparing .venv: waiting for it …", file=sys.stderr, flush=True)
            _take(descriptor, wait=True)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, wait: bool) -> bool:
    if sys.platform == "win32":
        import msvcrt
        import time

        while True:
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                return True
            except OSError:
                if not wait:
                    return False
                time.sleep(0.2)
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


# The progress of the installation is read from pip's output in the log, so that the user sees that it goes on.

POLL_SECONDS = 0.3
PROGRESS_SECONDS = 10.0
"""Seconds between two lines if there is no terminal, as in the log of continuous integration."""

_WIDTH = 60


def packages_in(lock: Path) -> int:
    """Return how many packages a lock file names, including those for other systems."""
    return len(re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==", lock.read_text("utf-8"), re.MULTILINE))


def progress_in_words(log: str, packages: int) -> str:
    """Return what pip is doing, from its log; `packages` is the number in the lock file. Empty: nothing to show yet."""
    wanted = packages - len(re.findall(r"^Ignoring ", log, re.MULTILINE))
    if re.search(r"^Installing collected packages", log, re.MULTILINE):
        return f"Installing {wanted} packages"
    fetched = len(re.findall(r"^(?:Collecting |Requirement already satisfied: |Processing )", log, re.MULTILINE))
    return f"Fetching package {min(fetched, wanted)} of {wanted}" if fetched else ""


def follow(process: "subprocess.Popen[bytes]", log: Path, packages: int) -> int:
    """Wait for the process, showing its progress meanwhile; return its exit code."""
    import subprocess
    import time

    start = log.stat().st_size
    terminal = sys.stderr is not None and sys.stderr.isatty()
    said, when = "", time.monotonic()
    while True:
        try:
            code = process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        else:
            if terminal and said:
                print("\r" + " " * _WIDTH, end="\r", file=sys.stderr, flush=True)
            return code
        with log.open("rb") as file:
            file.seek(start)
            text = progress_in_words(file.read().decode("utf-8", "replace"), packages)
        if not text or text == said:
            continue
        if terminal:
            print(f"\r{text:<{_WIDTH}}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - when > PROGRESS_SECONDS:
            print(text, file=sys.stderr, flush=True)
            when = time.monotonic()
        else:
            continue
        said = text
