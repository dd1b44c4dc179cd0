"""What has the weather fetched while no window is open: made, looked at by who reads it, left alone, removed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from abq_data_entry import schedules
from abq_data_entry.commands import line
from abq_data_entry.shortcuts import line_command

# As a crontab of the system does, with a file in place of its spool, which only root may write to.
CRONTAB = """\
#!/bin/sh
case "$1" in
-l) if [ -f "$SPOOL" ]; then cat "$SPOOL"; else echo "no crontab for you" >&2; exit 1; fi ;;
-) cat > "$SPOOL" ;;
esac
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home with a crontab; systemd doesn't run for this user."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "crontab").write_text(CRONTAB)
    (programs / "crontab").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("ABQ_CONFIG_DIR", str(tmp_path / 'my "50 %" $HOME\\x'))
    monkeypatch.delenv("ABQ_DATA_DIR", raising=False)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str, of: str = "weather") -> tuple[int, str]:
    code = line.run([of, "install-schedule", *words])
    told = capsys.readouterr()
    return code, told.out + told.err


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its scheduler is another")


def test_units_are_written_left_alone_and_removed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service, timer = (home / "config/systemd/user" / f"abq-weather.{kind}" for kind in ("service", "timer"))
    code, told = run(capsys, "--user", "--kind", "systemd")
    assert code == 0 and told.splitlines()[:2] == [f"{service} is written.", f"{timer} is written."]
    assert "OnCalendar=*-*-* *:20:00\n" in timer.read_text()
    assert f"{service} was there already." in run(capsys, "--kind", "systemd")[1]

    # another version's file is renewed, what was changed by hand is neither overwritten nor removed
    changed = timer.read_text().replace("*:20:00", "*:40:00")
    timer.write_text(changed)
    for more in ((), ("--remove",)):
        code, told = run(capsys, "--kind", "systemd", *more)
        assert code == 1 and f"{timer} was changed by hand, so it stays as it is." in told
        assert timer.read_text() == changed and service.exists()
    timer.unlink()
    assert run(capsys, "--kind", "systemd", "--remove") == (0, f"{service} is removed.\n")
    assert run(capsys, "--kind", "systemd", "--remove") == (0, "There were no units.\n")


def test_systemd_reads_the_units_and_runs_these_words(home: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd-analyze isn't here")
    both = {**schedules.units(), **schedules.units(schedules.DELIVERIES)}
    for name, text in both.items():
        (home / name).write_text(text, encoding="utf-8")
    for name in both:
        found = subprocess.run(
            [verifier, "verify", "--man=no", str(home / name)],
            capture_output=True, text=True, check=False, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{home}:"},
        )  # fmt: skip
        assert found.returncode == 0 and not re.search(r"abq-\w+\.\w+:", found.stderr), found.stderr
    text = schedules.units()["abq-weather.service"]
    command = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert command is not None and shlex.split(command[1]) == [*line_command(), "--quiet", "weather", "--backfill"]
    assert r'Environment="ABQ_CONFIG_DIR=' in text and r'my \"50 %%\" $HOME\\x"' in text


def test_a_line_of_cron_is_added_to_others_and_removed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spool = home / "spool"
    assert run(capsys, "--kind", "cron", "--remove") == (0, "There was no line in crontab.\n")
    spool.write_text("0 1 * * * /usr/bin/true\n")
    assert run(capsys, "--kind", "cron")[0] == 0
    others, ours = spool.read_text().splitlines()
    assert others == "0 1 * * * /usr/bin/true" and ours == schedules.cron_line()
    assert "was there already" in run(capsys, "--kind", "cron")[1]

    # what cron would give to the shell is the command with its folder
    said = ours.removeprefix("20 * * * * ").replace(r"\%", "%").partition(" > /dev/null")[0]
    shown = subprocess.run(
        ["/bin/sh", "-c", f"printf '%s\\n' {said}"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert shown == [f"ABQ_CONFIG_DIR={os.environ['ABQ_CONFIG_DIR']}", *line_command(), *schedules.WEATHER.words]

    spool.write_text(spool.read_text().replace("20 * *", "40 * *"))
    for more in ((), ("--remove",)):
        code, told = run(capsys, "--kind", "cron", *more)
        assert code == 1 and "was changed by hand" in told and "40 * *" in spool.read_text()
    spool.write_text(f"{others}\n{ours}\n")
    assert run(capsys, "--kind", "cron", "--remove")[0] == 0
    assert spool.read_text() == "0 1 * * * /usr/bin/true\n"


def test_the_task_of_windows_is_xml_with_these_words() -> None:
    found = ET.fromstring(schedules.task().partition("\n")[2])
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    command, arguments = (found.findtext(f".//t:{name}", "", space) for name in ("Command", "Arguments"))
    assert command == line_command()[0] and arguments.endswith("--quiet weather --backfill")
    assert found.findtext(".//t:StartBoundary", "", space).endswith("T00:20:00")


def test_without_the_scheduler_the_reason_is_printed(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(home))
    code, told = run(capsys, "--kind", "cron")
    assert code == 1 and told.startswith("There is no crontab here. For another scheduler: 20 * * * * ")
    assert run(capsys, "--kind", "windows")[0] == 1
    assert run(capsys, "--kind", "launchd")[0] == 2


def test_deliveries_have_a_schedule_of_their_own_beside_that_of_the_weather(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "--kind", "cron")[0] == run(capsys, "--kind", "cron", of="deliveries")[0] == 0
    lines = (home / "spool").read_text().splitlines()
    assert lines == [schedules.cron_line(), schedules.cron_line(schedules.DELIVERIES)]
    assert lines[1].startswith("*/10 * * * * ") and " --quiet deliveries run --unattended > /dev/null" in lines[1]
    assert run(capsys, "--kind", "cron", "--remove")[0] == 0
    assert (home / "spool").read_text().splitlines() == lines[1:]
    assert run(capsys, "--kind", "systemd", of="deliveries")[0] == 0
    units = home / "config/systemd/user"
    assert sorted(each.name for each in units.iterdir()) == ["abq-deliveries.service", "abq-deliveries.timer"]
    assert "OnCalendar=*-*-* *:00/10:00\n" in (units / "abq-deliveries.timer").read_text()
    assert run(capsys, "--kind", "systemd", "--remove") == (0, "There were no units.\n")
    assert "--quiet deliveries run --unattended" in schedules.task(schedules.DELIVERIES)
