"""The page of notices: its settings and commands, as they are printed, fetch them from a real server."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from abq_data_entry.__main__ import main
from tests.network.certificates import authority
from tests.network.faults import serving
from tests.network.news_server import NewsServer, article
from tests.network.notice_servers import atom, entry, feed_server
from tests.test_documents import ROOT, blocks

from .listing import commands_of

PAGE = ROOT / "docs/notices.md"


@pytest.mark.needs("network")
def test_its_settings_and_commands_fetch_notices(
    home: Path, database: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, group = blocks(PAGE, "json")
    trusted = authority("laboratory", tmp_path)
    with feed_server(trusted.issue("127.0.0.1"), body=atom(entry("urn:1", "The pump"))) as server:
        ours = {
            **json.loads(settings.replace("https://intranet.lab.example/notices.xml", server.url)),
            "db_name": {"type": "str", "value": database["dbname"]},
            "abq_ca_file": {"type": "str", "value": str(trusted.file)},
        }
        (home / "abq_settings.json").write_text(json.dumps(ours), "utf-8")
        for command in (each for each in commands_of(PAGE) if each.startswith("abq-data-entry ")):
            assert main(shlex.split(command)[1:]) == 0, (command, capsys.readouterr())
        said = capsys.readouterr().out
        assert "1 new notice.\n" in said and "The pump\nFetched " in said
        assert server.statuses == [200, 200]  # the other one is of `check`
    news = NewsServer(articles={1: article("1", "From the group", "x")}, certificate=trusted.issue("127.0.0.1"))
    news.implicit = True
    with serving(news) as port:
        place = json.loads(group.replace("news.lab.example", f"127.0.0.1:{port}"))
        (home / "abq_settings.json").write_text(json.dumps({**ours, **place}), "utf-8")
        for command in ("fetch", "list"):
            assert main(["notices", command]) == 0, capsys.readouterr()
        assert "From the group\nFetched " in capsys.readouterr().out
