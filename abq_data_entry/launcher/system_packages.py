"""Missing packages of the operating system: shows the exact command that installs them, and runs it if it may.

Distributions put ``tkinter`` and ``venv``, which are parts of Python, into packages of their own. The tests and a demo
without a screen need ``Xvfb``, ``openbox`` and ``xdotool``, and read the database with ``psql``.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from abq_data_entry.launcher import EnvironmentProblem

Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Manager:
    """A package manager: how it installs, and what its packages are called.

    ``packages`` has, for each part, the names of its packages, separated by spaces; ``{version}`` stands for that of
    Python, such as "3.12". A part that isn't listed comes with Python itself.
    """

    install: tuple[str, ...]
    packages: Mapping[str, str]
    refresh: tuple[str, ...] = ()
    needs_root: bool = True

    def commands(self, missing: Iterable[str], version: str) -> Commands:
        """Return the commands that install ``missing`` for Python ``version``; none if no package is known."""
        known = (self.packages[part].format(version=version) for part in missing if part in self.packages)
        names = [name for names in known for name in names.split()]
        if not names:
            return ()
        install = (*self.install, *dict.fromkeys(names))
        return (self.refresh, install) if self.refresh else (install,)


DEBIAN = Manager(
    install=("apt-get", "install", "--yes", "--no-install-recommends"),
    refresh=("apt-get", "update"),
    packages={
        "tkinter": "python3-tk fonts-dejavu-core",  # the font that Tk brings may lack ✗ and ⏎
        "venv": "python3-venv",
        "Xvfb": "xvfb",
        "openbox": "openbox",
        "xdotool": "xdotool",
        "psql": "postgresql-client",
    },
)
# Another Python than the distribution's default, from packages made for it (such as Ubuntu's "deadsnakes").
DEBIAN_OTHER_PYTHON = Manager(
    install=DEBIAN.install,
    refresh=DEBIAN.refresh,
    packages={**DEBIAN.packages, "tkinter": "python{version}-tk fonts-dejavu-core", "venv": "python{version}-venv"},
)
FEDORA = Manager(
    install=("dnf", "install", "--assumeyes"),
    packages={
        "tkinter": "python3-tkinter",
        "venv": "python3-libs",
        "Xvfb": "xorg-x11-server-Xvfb",
        "openbox": "openbox",
        "xdotool": "xdotool",
        "psql": "postgresql",
    },
)
ARCH = Manager(
    install=("pacman", "-S", "--needed", "--noconfirm"),
    packages={
        "tkinter": "tk",
        "venv": "python",
        "Xvfb": "xorg-server-xvfb",
        "openbox": "openbox",
        "xdotool": "xdotool",
        "psql": "postgresql-libs",
    },
)
HOMEBREW = Manager(
    install=("brew", "install"),
    packages={"tkinter": "python-tk@{version}", "venv": "python@{version}"},
    needs_root=False,
)


def manager_for(platform: str, os_release: str, distributions_python: bool = True) -> Manager | None:
    """Return the package manager for a ``sys.platform`` and the text of ``/etc/os-release``; None if it is unknown."""
    if platform == "darwin":
        return HOMEBREW
    if platform != "linux":
        return None
    lines = (line.partition("=") for line in os_release.splitlines())
    facts = {key.strip(): value.strip().strip("\"'").lower() for key, _, value in lines}
    for family in [facts.get("ID", ""), *facts.get("ID_LIKE", "").split()]:
        if family in ("debian", "ubuntu"):
            return DEBIAN if distributions_python else DEBIAN_OTHER_PYTHON
        if family in ("fedora", "rhel", "centos"):
            return FEDORA
        if family in ("arch", "archlinux"):
            return ARCH
    return None


def missing_tools(tools: Iterable[str]) -> list[str]:
    """Return those of ``tools`` that are not on PATH."""
    return [tool for tool in tools if shutil.which(tool) is None]


def line(commands: Commands) -> str:
    """Return the commands as one line for a shell."""
    return " && ".join(shlex.join(command) for command in commands)


def advice(missing: list[str]) -> str:
    """Return a sentence that says how to install what is missing on this system, with the command to run."""
    commands, needs_root = _commands(missing)
    if not commands:
        return _without_manager()
    if needs_root and not _is_root() and shutil.which("sudo") is None:
        return f"Run this as root, then start again: {line(commands)}"
    return f"Run this, then start again: {line(_with_sudo(commands, needs_root))}"


def _ask(question: str) -> str:
    """Return the typed answer; empty at the end of input. Asks on standard error: a script may read the output."""
    print(question, end="", file=sys.stderr, flush=True)
    try:
        return input()
    except EOFError:
        return ""


def provide(missing: list[str], ask: Callable[[str], str] = _ask) -> None:
    """Install what is missing if this process may, else say what to run.

    As root it installs without asking. With sudo, or where no root is needed, it asks first, but only at a terminal.

    Raises:
        EnvironmentProblem: it was not installed; the text has the exact line to run.
    """
    what = " and ".join([", ".join(missing[:-1]), missing[-1]] if len(missing) > 1 else missing)
    commands, needs_root = _commands(missing)
    commands = _with_sudo(commands, needs_root)
    may_run = bool(commands) and needs_root and _is_root()
    if commands and not may_run and sys.stdin is not None and sys.stdin.isatty() and shutil.which(commands[0][0]):
        may_run = ask(f"This system lacks {what}. Run `{line(commands)}` now? [y/N] ").strip().lower() in ("y", "yes")
    if not may_run:
        raise EnvironmentProblem(f"This system lacks {what}. {advice(missing)}")
    print(f"This system lacks {what}: running {line(commands)}", file=sys.stderr, flush=True)
    _run(commands)


def _commands(missing: list[str]) -> tuple[Commands, bool]:
    """Return the commands that install it here (none without a package manager), and whether they need root."""
    manager = _this_manager()
    if manager is None or shutil.which(manager.install[0]) is None:
        return (), False
    return manager.commands(missing, "{}.{}".format(*sys.version_info)), manager.needs_root


def _with_sudo(commands: Commands, needs_root: bool) -> Commands:
    return tuple(("sudo", *command) for command in commands) if needs_root and not _is_root() else commands


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _run(commands: Commands) -> None:
    """Run the commands; their output goes to standard error, because a script may read standard output."""
    import subprocess

    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in commands:
        try:
            code = subprocess.run(command, stdout=sys.stderr, check=False, env=environment).returncode
        except OSError as error:
            raise EnvironmentProblem(f"{command[0]} could not be started: {error}") from error
        if code:
            raise EnvironmentProblem(f"This failed (exit code {code}), please run it yourself: {line(commands)}")


def _this_manager() -> Manager | None:
    try:
        os_release = Path("/etc/os-release").read_text("utf-8", errors="replace")
    except OSError:
        os_release = ""
    mine = os.path.realpath(sys.base_prefix)
    others = mine == "/usr" and not os.path.realpath("/usr/bin/python3").endswith("{}.{}".format(*sys.version_info))
    return manager_for(sys.platform, os_release, distributions_python=not others)


def _without_manager() -> str:
    if sys.platform == "win32":
        return "Start the installer of Python from python.org, choose Modify, and tick 'tcl/tk and IDLE'."
    if sys.platform == "darwin":
        return "Install the Python of python.org, or Homebrew (https://brew.sh) and start again."
    return "Install it with your system's package manager, then start again."
