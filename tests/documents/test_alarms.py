"""The page of alarms: its commands, as they are printed, tell a mail server and a web service."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from abq_data_entry.__main__ import main
from abq_data_entry.models import SQLModel
from abq_data_entry.models.alarms import Finding
from abq_data_entry.models.undoing import By
from abq_data_entry.workflows import local_findings
from abq_data_entry.workflows.status import Limits
from tests.fixtures.window import write_settings
from tests.network.certificates import authority
from tests.network.mail_server import PASSWORD, USERNAME, mail_server
from tests.network.test_webhook import SECRET, serving
from tests.test_documents import ROOT, blocks

from .listing import commands_in

PAGE = ROOT / "docs/alarms.md"
ENDS_WITH_1 = ("abq-data-entry alarms --ended 7", "abq-data-entry alarms --json")  # an alarm is open


@pytest.mark.needs("network")
def test_its_commands_tell_of_alarms(
    home: Path, database: dict[str, str], stored: SQLModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr(local_findings, "LIMITS", Limits(free_mib=0))  # however full the disk of the tests is
    trusted = authority("laboratory", tmp_path)
    crontab = tmp_path / "bin" / "crontab"
    crontab.parent.mkdir()
    crontab.write_text(f'#!/bin/sh\n[ "$1" = -l ] && exec cat {tmp_path}/lines\nexec cat > {tmp_path}/lines\n')
    crontab.chmod(0o755)
    (tmp_path / "lines").write_text("")
    monkeypatch.setenv("PATH", f"{crontab.parent}:/usr/bin:/bin")

    with mail_server(trusted.issue("127.0.0.1")) as (port, letters), serving() as posts:
        here = {
            "/usr/local/bin/abq-data-entry": "abq-data-entry",
            "smtp://mail.example.com:587": f"smtp://127.0.0.1:{port}",
            "https://chat.example.com/alarms": posts.url,
            "~/.config/abq-data-entry": str(home),
            "PASSWORD": shlex.quote(PASSWORD),
            "SECRET": SECRET,
        }
        write_settings(home, {"db_name": database["dbname"], "abq_ca_file": str(trusted.file), "network_timeout": 20})
        stored.look_for_alarms([Finding("disk", "/data", "Only 3 MiB are free.")], by=By("", "bench"))
        printed = [each for block in blocks(PAGE, "") for each in commands_in(block)]
        for command in printed:
            line = command
            for name, real in here.items():
                line = line.replace(name, real)
            if not line.startswith("abq-data-entry"):
                subprocess.run(["/bin/sh", "-c", line], check=True)
                continue
            monkeypatch.setattr(sys, "stdin", io.StringIO())
            code = main(shlex.split(line)[1:])
            said = capsys.readouterr()
            assert code == (1 if command in ENDS_WITH_1 else 0), (command, said)
            if command.endswith("--kind cron"):
                assert re.search(r"^\*/5 \* \* \* \* .*alarms run", (tmp_path / "lines").read_text(), re.MULTILINE)
        assert (tmp_path / "lines").read_text().strip() == ""
        assert [each["Subject"].partition(":")[0] for each in letters.messages()] == ["ABQ alarm", "ABQ alarm 1"]
        assert {each["From"] for each in letters.messages()} == {USERNAME}
        events = [json.loads(body) for _headers, body in posts.kept]
        assert [each["event"] for each in events] == ["test", "begin"]
        rows = {name for each in events for name in each}
        assert rows <= set(re.findall(r"`(\w+)`", PAGE.read_text(encoding="utf-8")))
    assert {(each.lab, each.weekday) for each in stored.get_calendar()} == {
        *(("A", day) for day in range(1, 6)), *(("B", day) for day in range(1, 6))
    }  # fmt: skip
