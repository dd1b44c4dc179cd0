"""Scheduled runs while no window is open: systemd units, a crontab line or a Windows task.

For this user; installed and removed by `install-schedule` of `weather`, `deliveries` and `alarms`. A unit or line that
somebody has changed by hand, which its checksum shows, is neither overwritten nor removed.
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
from typing import NamedTuple

from .constants import APPLICATION_ID, APPLICATION_NAME
from .shortcuts import line_command

SYSTEMD, CRON, WINDOWS = KINDS = ("systemd", "cron", "windows")
_FOLDERS = ("ABQ_CONFIG_DIR", "ABQ_DATA_DIR")  # schedulers don't get the variables of a shell
_RUNNING = Path("/run/systemd/system")  # sd_booted(3)


class Schedule(NamedTuple):
    """A subcommand with its arguments (`words`), and when it runs.

    `what` and `how_often`: its description. For systemd, `on_calendar` (systemd.time(7)) and `at_most_later`, a random
    delay in seconds. For cron, the first five fields of the line. For the Windows Task Scheduler, the start `begins`,
    the interval `repeated` and the random delay `later` (XML Schema dateTime and duration).
    """

    subcommand: str
    words: tuple[str, ...]
    what: str
    how_often: str
    on_calendar: str
    at_most_later: int
    cron: str
    begins: str
    repeated: str
    later: str

    @property
    def unit(self) -> str:
        """The name of the systemd units, without a suffix."""
        return f"abq-{self.subcommand}"

    @property
    def task(self) -> str:
        """The name of the Windows task."""
        return f"{APPLICATION_NAME} {self.subcommand}"

    @property
    def enable(self) -> str:
        """The command that enables it in systemd."""
        return f"systemctl --user enable --now {self.unit}.timer"

    @property
    def mark(self) -> str:
        """The comment before the checksum in a crontab line."""
        return f" # {APPLICATION_ID} {self.subcommand}, checksum "


WEATHER = Schedule(
    "weather", ("--quiet", "weather", "--backfill"), "Weather history", "every hour",
    "*-*-* *:20:00", 240, "20 * * * *", "2026-01-01T00:20:00", "PT1H", "PT4M",
)  # fmt: skip
DELIVERIES = Schedule(
    "deliveries", ("--quiet", "deliveries", "run", "--unattended"), "Deliveries", "every ten minutes",
    "*-*-* *:00/10:00", 30, "*/10 * * * *", "2026-01-01T00:00:00", "PT10M", "PT30S",
)  # fmt: skip
ALARMS = Schedule(
    "alarms", ("--quiet", "alarms", "run"), "Alarms", "every five minutes",
    "*-*-* *:00/5:00", 15, "*/5 * * * *", "2026-01-01T00:00:00", "PT5M", "PT15S",
)  # fmt: skip

_SERVICE = """\
[Unit]
Description={what} of {name}

[Service]
Type=oneshot
{environment}ExecStart={command}
TimeoutStartSec=15min
"""
_TIMER = """\
[Unit]
Description={what} of {name}, {how_often}

[Timer]
OnCalendar={on_calendar}
RandomizedDelaySec={later}
Persistent=true

[Install]
WantedBy=timers.target
"""
# https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema
_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.3" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo><Description>{what} of {name}, {how_often}</Description></RegistrationInfo>
  <Triggers>
    <TimeTrigger>
      <Repetition><Interval>{repeated}</Interval></Repetition>
      <StartBoundary>{begins}</StartBoundary>
      <RandomDelay>{later}</RandomDelay>
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
    """The schedule can't be installed or removed; the text says why, and what to do."""


def usual_kind() -> str:
    """Return the scheduler of this system: systemd on Linux, cron on other Unix systems, the Task Scheduler on
    Windows."""
    if sys.platform == "win32":
        return WINDOWS
    return SYSTEMD if sys.platform == "linux" else CRON


def install(kind: str, wanted: Schedule = WEATHER) -> list[str]:
    """Install the schedule; return what was done, as sentences. Raises `ScheduleError`, `OSError`."""
    return {SYSTEMD: _install_units, CRON: _install_line, WINDOWS: _install_task}[kind](wanted)


def remove(kind: str, wanted: Schedule = WEATHER) -> list[str]:
    """Remove what `install` has made; return what was done. Raises `ScheduleError`, `OSError`."""
    return {SYSTEMD: _remove_units, CRON: _remove_line, WINDOWS: _remove_task}[kind](wanted)


# -- what somebody has changed


def _signed(text: str, wanted: Schedule) -> str:
    """Return the text of a file, after a first line with its checksum."""
    return f"# Made by {APPLICATION_ID} {wanted.subcommand} install-schedule. Checksum: {_checksum(text)}\n{text}"


def _is_ours(whole: str, wanted: Schedule) -> bool:
    """Return whether a file is unchanged since this or another version wrote it."""
    first, _, text = whole.partition("\n")
    return first == _signed(text, wanted).partition("\n")[0]


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _require_unchanged(path: Path, wanted: Schedule) -> None:
    if path.is_symlink() or (path.exists() and not _is_ours(path.read_text("utf-8", "replace"), wanted)):
        raise ScheduleError(f"{path} was changed by hand, so it stays as it is. Move it away, then try again.")


# -- systemd


def units(wanted: Schedule = WEATHER) -> dict[str, str]:
    """Return the content of the systemd units, by file name."""
    made = [f'Environment="{name}={_for_systemd(os.environ[name])}"\n' for name in _folders()]
    command = " ".join(f'"{_for_systemd(each).replace("$", "$$")}"' for each in (*line_command(), *wanted.words))
    service = _SERVICE.format(what=wanted.what, name=APPLICATION_NAME, command=command, environment="".join(made))
    timer = _TIMER.format(
        what=wanted.what, name=APPLICATION_NAME, how_often=wanted.how_often, on_calendar=wanted.on_calendar,
        later=wanted.at_most_later,
    )  # fmt: skip
    return {f"{wanted.unit}.service": _signed(service, wanted), f"{wanted.unit}.timer": _signed(timer, wanted)}


def _folders() -> list[str]:
    return [name for name in _FOLDERS if os.environ.get(name)]


def _for_systemd(text: str) -> str:
    """Return a text within quotation marks of a unit (systemd.syntax(7), systemd.unit(5) for the percent sign)."""
    if any(ord(each) < 32 for each in text):
        raise ScheduleError("The path of the program or of its folders holds a control character.")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _unit_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd/user"


def _install_units(wanted: Schedule) -> list[str]:
    folder, done = _unit_folder(), []
    for name in units(wanted):
        _require_unchanged(folder / name, wanted)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in units(wanted).items():
        path = folder / name
        is_there = path.exists() and path.read_text("utf-8") == text
        path.write_text(text, encoding="utf-8")
        done.append(f"{path} {'was there already' if is_there else 'is written'}.")
    if not _RUNNING.is_dir() or shutil.which("systemctl") is None:
        return [*done, f"systemd doesn't run here. Where it does, type: {wanted.enable}"]
    _run("systemctl", "--user", "daemon-reload")
    _run(*wanted.enable.split())
    return [*done, f"{wanted.unit}.timer is enabled. For a user who isn't logged in type also: loginctl enable-linger"]


def _remove_units(wanted: Schedule) -> list[str]:
    names = (f"{wanted.unit}.timer", f"{wanted.unit}.service")
    paths = [path for name in names if os.path.lexists(path := _unit_folder() / name)]
    if not paths:
        return ["There were no units."]
    for path in paths:
        _require_unchanged(path, wanted)
    runs = _RUNNING.is_dir() and shutil.which("systemctl") is not None
    if runs:
        _run("systemctl", "--user", "disable", "--now", f"{wanted.unit}.timer")
    for path in paths:
        path.unlink()
    if runs:
        _run("systemctl", "--user", "daemon-reload")
    return [f"{path} is removed." for path in paths]


# -- cron



def cron_line(wanted: Schedule = WEATHER) -> str:
    """Return the crontab line. Standard output is discarded, so that cron mails only errors."""
    import shlex

    folders = [f"{name}={shlex.quote(os.environ[name])}" for name in _folders()]
    command = " ".join((*folders, shlex.join((*line_command(), *wanted.words))))
    if "\n" in command:
        raise ScheduleError("The path of the program or of its folders holds a line break.")
    line = f"{wanted.cron} {command} > /dev/null".replace("%", r"\%")  # crontab(5): else it ends the command
    return f"{line}{wanted.mark}{_checksum(line)}"


def _crontab(wanted: Schedule) -> list[str]:
    if shutil.which("crontab") is None:
        raise ScheduleError(f"There is no crontab here. For another scheduler: {cron_line(wanted)}")
    found = subprocess.run(["crontab", "-l"], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if found.returncode and "no crontab" not in found.stderr.lower():
        raise ScheduleError(f"crontab can't be read: {found.stderr.strip()}")
    return [] if found.returncode else found.stdout.splitlines()


def _without_ours(lines: Sequence[str], wanted: Schedule) -> list[str]:
    """Return the lines without ours. Raises `ScheduleError` if ours was changed by hand."""
    kept, ours = [], re.compile(re.escape(wanted.mark) + "([0-9a-f]{16})$")
    for line in lines:
        marked = ours.search(line)
        if marked is None:
            kept.append(line)
        elif marked[1] != _checksum(line[: marked.start()]):
            raise ScheduleError(f"This line of crontab was changed by hand, so it stays as it is: {line}")
    return kept


def _write_crontab(lines: Sequence[str]) -> None:
    _run("crontab", "-", text="".join(f"{line}\n" for line in lines))


def _install_line(wanted: Schedule) -> list[str]:
    lines, ours = _crontab(wanted), cron_line(wanted)
    if ours in lines:
        return [f"This line of crontab was there already: {ours}"]
    _write_crontab([*_without_ours(lines, wanted), ours])
    return [f"crontab has this line now: {ours}"]


def _remove_line(wanted: Schedule) -> list[str]:
    lines = _crontab(wanted)
    kept = _without_ours(lines, wanted)
    if kept == lines:
        return ["There was no line in crontab."]
    _write_crontab(kept)
    return ["The line of crontab is removed."]


# -- Windows


def task(wanted: Schedule = WEATHER) -> str:
    """Return the task as XML."""
    from xml.sax.saxutils import escape  # not at the top: it imports urllib, which other subcommands don't need

    words = [*line_command(), *wanted.words]
    arguments = subprocess.list2cmdline(words[1:])
    return _TASK.format(
        what=wanted.what, name=APPLICATION_NAME, how_often=wanted.how_often, begins=wanted.begins,
        repeated=wanted.repeated, later=wanted.later, program=escape(words[0]), arguments=escape(arguments),
    )  # fmt: skip


def _install_task(wanted: Schedule) -> list[str]:
    import tempfile

    if _folders():
        raise ScheduleError(f"A task doesn't see {' and '.join(_folders())}. Set it for all programs (setx), not here.")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "task.xml"
        file.write_text(task(wanted), encoding="utf-16")
        # Without /F: a task of this name stays as it is.
        _run("schtasks", "/Create", "/TN", wanted.task, "/XML", str(file))
    return [f"The task {wanted.task!r} is made."]


def _remove_task(wanted: Schedule) -> list[str]:
    _run("schtasks", "/Delete", "/TN", wanted.task, "/F")
    return [f"The task {wanted.task!r} is removed."]


def _run(*command: str, text: str | None = None) -> None:
    """Run a program of the system. Raises `ScheduleError` with its output if it fails."""
    try:
        done = subprocess.run(command, input=text or "", capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ScheduleError(f"{command[0]} couldn't be run: {error}") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise ScheduleError(f"{' '.join(command)} failed: {said or f'exit code {done.returncode}'}")
