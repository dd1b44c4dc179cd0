"""Messages between workstations on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.commands.conftest import Outcome

Line = Callable[..., Outcome]


def test_messages_are_sent_and_listed(line: Line, one_record: None) -> None:
    assert line("message", "list").output == "There are no such messages.\n"
    assert json.loads(line("message", "list", "--json").output) == []
    sent = line("message", "send", "The pump is \N{PILE OF POO} off: 'x'; --")
    assert (sent.code, sent.errors) == (0, "")
    assert sent.output == "Nobody else is entering a check now; the message is kept for 30 days.\n"
    assert line("message", "send", "--to", "p taylor", "Please come.").output.startswith("P Taylor is entering no")
    assert line("message", "send", "--lab", "a", "x" * 640).code == 0
    for arguments, reason in (
        (("--to", "Nobody", "x"), "There is no technician 'Nobody'. It was not sent."),
        (("--lab", "Z", "x"), "There is no lab 'Z'. It was not sent."),
        (("y" * 641,), "This text has 641 characters; a message has 640 at most. It was not sent."),
        (("a\nb",), "A message is one line without control characters. It was not sent."),
        ((" ",), "There is nothing to send: write a text first."),
    ):
        refused = line("message", "send", *arguments)
        assert (refused.code, refused.reason) == (1, reason)
    assert line("message", "send", "--to", "P Taylor", "--lab", "A", "x").code == 2
    assert line("message").code == 2
    found = json.loads(line("message", "list", "--json").output)
    assert [(each["to"], each["lab"]) for each in found] == [(None, "A"), ("P Taylor", None), (None, None)]
    assert found[0]["text"] == "x" * 640 and found[0]["login"] == "abq" and found[0]["read"] == []
    assert "to P Taylor: Please come.\n" in line("message", "list", "--to", "P TAYLOR").output
    assert line("message", "list").output.count("\n") == 3
    assert line("db", "verify").code == 0
