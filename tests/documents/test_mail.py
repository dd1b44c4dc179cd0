"""The page of e-mail: its settings and commands, as they are printed, send days to a real mail server."""

from __future__ import annotations

import datetime
import io
import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from abq_data_entry.__main__ import main
from abq_data_entry.models import SQLModel
from tests.commands.test_deliveries import outbox
from tests.fixtures.secret_files import secret
from tests.models.records import record
from tests.network.certificates import authority
from tests.network.mail_server import PASSWORD, USERNAME, mail_server
from tests.network.mailbox_server import PASSWORD as MAILBOX_PASSWORD
from tests.network.mailbox_server import mailbox_server
from tests.test_documents import ROOT, blocks

from .listing import commands_in

PAGE = ROOT / "docs/mail.md"
SENT, LOST = datetime.date(2026, 11, 19), datetime.date(2026, 11, 20)


@pytest.mark.needs("network")
def test_its_settings_and_commands_send_mail(
    home: Path, database: dict[str, str], stored: SQLModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    for day in (SENT, LOST):
        stored.save_record(record(Date=day, Plot="1"))
    settings, _of_answers = blocks(PAGE, "json")
    add, test, arrived, retry, _receipts = (each for block in blocks(PAGE, "") for each in commands_in(block))
    trusted = authority("laboratory", tmp_path)

    def type_line(command: str) -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        return main(shlex.split(command)[1:])

    def done(commands: Sequence[str]) -> None:
        for command in commands:
            assert type_line(command) == 0, (command, capsys.readouterr())

    with mail_server(trusted.issue("127.0.0.1")) as (port, letters):
        ours = {
            **json.loads(settings.replace("mail.example.com", "127.0.0.1").replace("587", str(port))),
            "db_name": {"type": "str", "value": database["dbname"]},
            "abq_ca_file": {"type": "str", "value": str(trusted.file)},
        }
        (home / "abq_settings.json").write_text(json.dumps(ours), "utf-8")
        secret(home, "email", USERNAME, PASSWORD)
        secret(home, "email.reports", PASSWORD)
        done([
            add.replace("mail.example.com:587", f"127.0.0.1:{port}"),
            test,
            f"abq-data-entry upload email --date {SENT} --username {USERNAME}",
            f"abq-data-entry upload reports --date {SENT}",
        ])  # fmt: skip
        assert [sorted(to) for to, _content in letters.kept] == [
            ["boss@example.com", "qa@example.com"],
            ["qa@example.com"],
        ]
        assert letters.encrypted == [True, True] and set(letters.logins) == {(USERNAME.encode(), PASSWORD.encode())}
        first, second = letters.messages()
        assert first["From"] == "Plant Laboratory <lab@example.com>" and second["From"] == USERNAME
        assert [each.get_filename() for each in first.iter_attachments()] == [f"abq_data_record_{SENT}.csv"]

        letters.fault = lambda: "lost"
        assert type_line(f"abq-data-entry upload reports --date {LOST}") == 1
        assert outbox().deliveries()[-1].state == "unknown" and len(letters.kept) == 3
        number = outbox().deliveries()[-1].short_id
        assert type_line(retry.replace("1a2b3c4d", number)) == 1, "lost once more"
        assert outbox().deliveries()[-1].state == "unknown" and len(letters.kept) == 4
        done([arrived.replace("1a2b3c4d", number)])
        assert outbox().deliveries()[-1].state == "delivered" and len(letters.kept) == 4


@pytest.mark.needs("network")
def test_an_answer_as_it_is_printed_is_read(
    home: Path, database: dict[str, str], stored: SQLModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    stored.save_record(record(Date=SENT, Plot="1"))
    of_mail, of_answers = blocks(PAGE, "json")
    (answer,) = blocks(PAGE, "text")
    (receipts,) = (each for block in blocks(PAGE, "") for each in commands_in(block) if "receipts" in each)
    trusted = authority("laboratory", tmp_path)
    certificate = trusted.issue("127.0.0.1")
    with mail_server(certificate) as (port, letters), mailbox_server(certificate) as mailbox:
        (home / "abq_settings.json").write_text(
            json.dumps({
                **json.loads(of_mail.replace("mail.example.com", "127.0.0.1").replace("587", str(port))),
                **json.loads(of_answers.replace("mail.example.com", f"127.0.0.1:{mailbox.ports['imaps']}")),
                "db_name": {"type": "str", "value": database["dbname"]},
                "abq_ca_file": {"type": "str", "value": str(trusted.file)},
            }),
            "utf-8",
        )  # fmt: skip
        secret(home, "email", USERNAME, PASSWORD)
        secret(home, "answers", MAILBOX_PASSWORD)
        assert main(shlex.split(f"upload email --date {SENT} --username {USERNAME}")) == 0
        (sent,) = letters.messages()
        mailbox.put(f"In-Reply-To: {sent['Message-ID']}\n{answer.lstrip()}".encode())
        capsys.readouterr()
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        assert main(shlex.split(receipts)[1:]) == 0
        assert "REFUSED: the humidity of plot 3 in lab A is missing." in capsys.readouterr().out
        assert outbox().deliveries()[0].state == "failed"
