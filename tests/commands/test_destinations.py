"""Destinations of the database on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.commands.conftest import Outcome

Line = Callable[..., Outcome]


def test_destinations_are_added_listed_changed_tested_and_removed(line: Line, tmp_path: Path) -> None:
    assert line("destinations").output == "There are no destinations in the database.\n"
    share = tmp_path / "company"
    share.mkdir()
    added = line("destinations", "add", "archive", "folder", share, "--every-day", "8:30")
    assert (added.code, added.output, added.errors) == (
        0, f"The destination archive is added: {share} by folder, every day at 08:30.\n", ""
    )  # fmt: skip
    assert line("destinations", "add", "archive", "folder", share).reason == "There is a destination archive already."
    growth = line("destinations", "add", "growth", "sftp", "files.example.com", "--view", "growth", "--format", "xlsx")
    assert growth.code == 0
    assert line("destinations", "change", "growth").reason == "Nothing was said that should change."
    changed = line("destinations", "change", "growth", "--username", "abq", "--checksum", "--when-complete")
    assert changed.output == (
        "The destination growth is changed: files.example.com by sftp, when a check is complete.\n"
    )
    heading, *rows = line("destinations", "list").output.splitlines()
    assert heading.split() == ["name", "kind", "where", "what", "when", "login"]
    assert [each.split()[:2] for each in rows] == [["archive", "folder"], ["growth", "sftp"]]
    listed = json.loads(line("destinations", "list", "--json").output)
    assert [listed[1][name] for name in ("file_name", "contents", "format", "username", "checksum")] == [
        "abq_growth_{date}.xlsx", "growth", "xlsx", "abq", True
    ]  # fmt: skip
    refused = line("destinations", "change", "growth", "--folder", "../x").reason
    assert refused.startswith("The folder must have / between folders") and refused.endswith("Nothing was changed.")
    assert line("destinations", "add", "x", "scp", "host").code == 2
    assert line("destinations", "add", "x", "sftp", "host", "--every-day", "8:30", "--by-hand").code == 2
    tested = line("destinations", "test", "archive", "--write")
    assert (tested.code, "✗" in tested.output, list(share.iterdir())) == (0, False, [])
    share.rmdir()
    assert line("destinations", "test", "archive").code == 1
    assert line("destinations", "test", "other").reason == (
        "There is no destination other in the database. There are: archive, growth."
    )
    assert line("destinations", "remove", "archive").output == "The destination archive is removed.\n"
    assert line("db", "verify").code == 0
