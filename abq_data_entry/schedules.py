"""What has the weather fetched while no window is open: units of systemd, a line of cron, a task of Windows.

For this user; made and removed by `weather install-schedule`. What somebody has changed by hand is neither overwritten
nor removed: the checksum that stands in it tells.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from .constants import APPLICATION_ID, APPLICATION_NAME
from .shortcuts import line_command

SYSTEMD, CRON, WINDOWS = KINDS = ("systemd", "cron", "windows")
WORDS = ("--quiet", "weather", "--backfill")
UNIT = "abq-weather"
TASK = f"{APPLICATION_NAME} weather"
_ENABLE = f"systemctl --user enable --now {UNIT}.timer"
_FOLDERS = ("ABQ_CONFIG_DIR", "ABQ_DATA_DIR")  # set for a shell, the scheduler doesn't know them
_RUNNING = Path("/run/systemd/system")  # sd_booted(3)
_SERVICE = """\
[Unit]
Description=Weather history of {name}

[Service]
Type=oneshot
{environment}ExecStart={command}
TimeoutStartSec=15min
"""
_TIMER = """\
[Unit]
Description=Weather history of {name}, every hour

[Timer]
OnCalendar=*-*-* *:20:00
RandomizedDelaySec=240
Persistent=true

[Install]
WantedBy=timers.target
"""
# https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema
_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>Weather history of {name}, every hour</Description></RegistrationInfo>
  <Triggers>
    <TimeTrigger>
      <Repetition><Interval>PT1H</Interval></Repetition>
      <StartBoundary>2026-01-01T00:20:00</StartBoundary>
      <RandomDelay>PT4M</RandomDelay>
    </TimeTrigger>
  </Triggers>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>true</RunOnlyIfNetworkAvailable>
    <ExecutionTimeLimit>PT15M</ExecutionTimeLimit>
  </Settings>
  <Actions>
    <Exec><Command>{program}</Command><Arguments>{arguments}</Arguments></Exec>
  </Actions>
</Task>
"""


class ScheduleError(Exception):
    """It can't be installed or removed; the text says why and what to do."""


def usual_kind() -> str:
    """The kind of this system: systemd on Linux, cron on others of its family, the Task Scheduler on Windows."""
    if sys.platform == "win32":
        return WINDOWS
    return SYSTEMD if sys.platform == "linux" else CRON


def install(kind: str) -> list[str]:
    """Install the schedule; return what was done, a sentence each. Raises `ScheduleError`, `OSError`."""
    return {SYSTEMD: _install_units, CRON: _install_line, WINDOWS: _install_task}[kind]()


def remove(kind: str) -> list[str]:
    """Remove what `install` has made; return what was done. Raises `ScheduleError`, `OSError`."""
    return {SYSTEMD: _remove_units, CRON: _remove_line, WINDOWS: _remove_task}[kind]()


# -- what somebody has changed


def _signed(text: str) -> str:
    """The text of a file, with a first line that holds its checksum."""
    return f"# Made by {APPLICATION_ID} weather install-schedule. Checksum: {_checksum(text)}\n{text}"


def _is_ours(whole: str) -> bool:
    """Whether a file is as we have made it, now or by another version."""
    first, _, text = whole.partition("\n")
    return first == _signed(text).partition("\n")[0]


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _require_unchanged(path: Path) -> None:
    if path.is_symlink() or (path.exists() and not _is_ours(path.read_text("utf-8", "replace"))):
        raise ScheduleError(f"{path} was changed by hand, so it stays as it is. Move it away, then try again.")


# -- systemd


def units() -> dict[str, str]:
    """The units by file name, as they are written."""
    made = [f'Environment="{name}={_for_systemd(os.environ[name])}"\n' for name in _folders()]
    command = " ".join(f'"{_for_systemd(each).replace("$", "$$")}"' for each in (*line_command(), *WORDS))
    service = _SERVICE.format(name=APPLICATION_NAME, command=command, environment="".join(made))
    return {f"{UNIT}.service": _signed(service), f"{UNIT}.timer": _signed(_TIMER.format(name=APPLICATION_NAME))}


def _folders() -> list[str]:
    return [name for name in _FOLDERS if os.environ.get(name)]


def _for_systemd(text: str) -> str:
    """A text within quotation marks of a unit (systemd.syntax(7), systemd.unit(5) for the percent sign)."""
    if any(ord(each) < 32 for each in text):
        raise ScheduleError("The path of the program or of its folders holds a control character.")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _unit_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd/user"


def _install_units() -> list[str]:
    folder, done = _unit_folder(), []
    for name in units():
        _require_unchanged(folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in units().items():
        path = folder / name
        is_there = path.exists() and path.read_text("utf-8") == text
        path.write_text(text, encoding="utf-8")
        done.append(f"{path} {'was there already' if is_there else 'is written'}.")
    if not _RUNNING.is_dir() or shutil.which("systemctl") is None:
        return [*done, f"systemd doesn't run here. Where it does, type: {_ENABLE}"]
    _run("systemctl", "--user", "daemon-reload")
    _run(*_ENABLE.split())
    return [*done, f"{UNIT}.timer is enabled. For a user who isn't logged in type also: loginctl enable-linger"]


def _remove_units() -> list[str]:
    paths = [path for name in (f"{UNIT}.timer", f"{UNIT}.service") if os.path.lexists(path := _unit_folder() / name)]
    if not paths:
        return ["There were no units."]
    for path in paths:
        _require_unchanged(path)
    runs = _RUNNING.is_dir() and shutil.which("systemctl") is not None
    if runs:
        _run("systemctl", "--user", "disable", "--now", f"{UNIT}.timer")
    for path in paths:
        path.unlink()
    if runs:
        _run("systemctl", "--user", "daemon-reload")
    return [f"{path} is removed." for path in paths]


# -- cron

_MARK = f" # {APPLICATION_ID} weather, checksum "
_MARKED = re.compile(re.escape(_MARK) + "([0-9a-f]{16})$")


def cron_line() -> str:
    """The line of a crontab: output goes nowhere, so that only errors are mailed."""
    import shlex

    folders = [f"{name}={shlex.quote(os.environ[name])}" for name in _folders()]
    command = " ".join((*folders, shlex.join((*line_command(), *WORDS))))
    if "\n" in command:
        raise ScheduleError("The path of the program or of its folders holds a line break.")
    line = f"20 * * * * {command} > /dev/null".replace("%", r"\%")  # crontab(5): else a percent sign ends the command
    return f"{line}{_MARK}{_checksum(line)}"


def _crontab() -> list[str]:
    if shutil.which("crontab") is None:
        raise ScheduleError(f"There is no crontab here. For another scheduler: {cron_line()}")
    found = subprocess.run(["crontab", "-l"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if found.returncode and "no crontab" not in found.stderr.lower():
        raise ScheduleError(f"crontab can't be read: {found.stderr.strip()}")
    return [] if found.returncode else found.stdout.splitlines()


def _without_ours(lines: Sequence[str]) -> list[str]:
    """The other lines. Raises `ScheduleError` where ours was changed by hand."""
    kept = []
    for line in lines:
        marked = _MARKED.search(line)
        if marked is None:
            kept.append(line)
        elif marked[1] != _checksum(line[: marked.start()]):
            raise ScheduleError(f"This line of crontab was changed by hand, so it stays as it is: {line}")
    return kept


def _write_crontab(lines: Sequence[str]) -> None:
    _run("crontab", "-", text="".join(f"{line}\n" for line in lines))


def _install_line() -> list[str]:
    lines, ours = _crontab(), cron_line()
    if ours in lines:
        return [f"This line of crontab was there already: {ours}"]
    _write_crontab([*_without_ours(lines), ours])
    return [f"crontab has this line now: {ours}"]


def _remove_line() -> list[str]:
    lines = _crontab()
    kept = _without_ours(lines)
    if kept == lines:
        return ["There was no line in crontab."]
    _write_crontab(kept)
    return ["The line of crontab is removed."]


# -- Windows


def task() -> str:
    """The task as XML."""
    words = [*line_command(), *WORDS]
    told = subprocess.list2cmdline(words[1:])
    return _TASK.format(name=APPLICATION_NAME, program=escape(words[0]), arguments=escape(told))


def _install_task() -> list[str]:
    import tempfile

    if _folders():
        raise ScheduleError(f"A task doesn't see {' and '.join(_folders())}. Set it for all programs (setx), not here.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "task.xml"
        file.write_text(task(), encoding="utf-16")
        # Without /F: a task of this name stays as it is.
        _run("schtasks", "/Create", "/TN", TASK, "/XML", str(file))
    return [f"The task {TASK!r} is made."]


def _remove_task() -> list[str]:
    _run("schtasks", "/Delete", "/TN", TASK, "/F")
    return [f"The task {TASK!r} is removed."]


def _run(*command: str, text: str | None = None) -> None:
    """Run a program of the system. Raises `ScheduleError` with what it said."""
    try:
        done = subprocess.run(command, input=text or "", capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ScheduleError(f"{command[0]} couldn't be run: {error}") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise ScheduleError(f"{' '.join(command)} failed: {said or f'exit code {done.returncode}'}")
