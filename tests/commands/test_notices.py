"""The company's notices on the command line, from a feed over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from abq_data_entry.folders import config_folder
from tests.commands.conftest import Outcome
from tests.network.notice_servers import atom, entry, feed_server

Line = Callable[..., Outcome]


@pytest.mark.needs("network")
def test_notices_are_fetched_listed_and_read(
    line: Line, configure: Callable[..., None], one_record: None, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = "No company notices are set up: the setting notices_url is empty."
    assert line("notices").reason == line("notices", "fetch").reason == told
    with feed_server(login=("lab", "gelb: 7")) as server:
        server.body = atom(
            entry("urn:1", "The pump", "<p>Off <b>now</b>.</p>", "2001-01-01T00:00:00Z"),
            entry("urn:2", "Lamps\x85", "<p>At &#27;[2J noon</p>", "2999-11-21T08:00:00Z", "lamps"),
        )
        configure(notices_url=server.url, notices_username="lab")
        assert line("notices").output == "There are no notices.\nNever fetched yet.\n"
        assert "No password of lab is kept" in line("notices", "fetch").reason
        assert "wants another login" in line("notices", "fetch", "--password-stdin", stdin="wrong\n").reason
        secrets = config_folder() / "secrets"
        secrets.mkdir(mode=0o700, parents=True)
        (secrets / "notices").write_text("lab\ngelb: 7\n")
        (secrets / "notices").chmod(0o600)
        fetched = line("notices", "fetch")
        assert (fetched.code, fetched.output, fetched.errors) == (0, "2 new notices.\n", "")
        assert line("notices", "fetch").output == "No notice is new.\n"
        assert line("notices", "fetch", "--hourly").output == "The notices were asked for within the last hour.\n"
        assert server.statuses == [401, 200, 304]
        found = json.loads(line("notices", "--json").output)
        assert json.loads(line("notices", "--json", "--all", "list").output) == found
        assert [(each["title"], each["unread"]) for each in found] == [("Lamps", True), ("The pump", False)]
        assert found[0]["link"] == server.url.replace("notices.xml", "lamps")
        listed = line("notices", "list", "--unread").output.splitlines()
        assert len(listed) == 2 and listed[0].endswith("Lamps") and " new " in listed[0]
        shown = line("notices", "show", found[0]["id"], "--technician", "J Simms")
        assert shown.code == 0 and "At [2J noon" in shown.output and "\x1b" not in shown.output
        assert line("notices", "list", "--unread", "--technician", "J Simms").output.startswith("No notice is unread.")
        assert line("notices", "read").output == "1 notice marked as read.\n"
        assert line("notices", "read").output == "0 notices marked as read.\n"
        assert line("notices", "show", 999).reason == "There is no notice 999: `notices --all` lists them."
        server.status, server.headers = 503, {"Retry-After": "600"}
        assert "(503)" in line("notices", "fetch").reason
        assert "wants no request before" in line("notices", "fetch").reason
        assert "Then: " in line("notices").output
    configure(notices_url="http://example.org/notices.xml")
    assert "others on the way" in line("notices").reason
    assert line("notices", "show").code == line("notices", "fetch", "x").code == 2
    assert line("db", "verify").code == 0
