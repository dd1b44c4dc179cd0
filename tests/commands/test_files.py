"""`files …` and `deliveries there`: at the bundled FTP server and a shared folder, as a person types them."""

from __future__ import annotations

import datetime
import hashlib
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry import folders
from abq_data_entry.models import SQLModel
from abq_data_entry.network.remote_files import FilesRefused
from abq_data_entry.network.remote_files_names import FILE, RemoteEntry, listing
from abq_data_entry.outbox import Delivery
from abq_data_entry.workflows import remote_files
from abq_data_entry.workflows.import_lists import list_in
from tests.commands.conftest import DAY, Outcome, at_terminal
from tests.fixtures.servers import BundledServer
from tests.network.real_servers import user_and_group, vsftpd

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/remote-files.md"
Line = Callable[..., Outcome]
SENT = datetime.datetime(2026, 11, 21, 20, 30, tzinfo=datetime.timezone.utc)


def test_lists_are_recognized_by_their_first_line(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    blocks = re.findall(r"```text\n((?:Number|Lab),[^`]+)```", DOCUMENT.read_text("utf-8"))
    for text, what in zip(blocks, ("2 technicians", "2 seed samples"), strict=True):
        path.write_text(text, "utf-8")
        found = list_in(path)
        assert found is not None and found.what == what
    path.write_bytes(b"\xef\xbb\xbfLab;Plot;Seed sample;Remark\r\na;01;axm477;x\r\n")
    found = list_in(path)
    assert found is not None and found.seeds[0][:2] == ("A", 1)
    for text in ("", "Date,Time\n1,2\n", "\0\xff"):
        path.write_text(text, "utf-8")
        assert list_in(path) is None
    for line in ("A,x,AXM477", "A,1,TOO LONG", "A,1"):
        path.write_text(f"Lab,Plot,Seed sample\nA,1,AXM477\n{line}\n", "utf-8")
        with pytest.raises(ValueError, match="Line 3"):
            list_in(path)


def test_a_folder_above_that_of_the_destination_has_no_address() -> None:
    for typed in ("..", "../..", "a/../..", "/..", "a/../../b"):
        with pytest.raises(FilesRefused, match="Nothing above"):
            remote_files.named(typed)
    with pytest.raises(FilesRefused):
        remote_files.named("a\nb")
    assert remote_files.named("/a//./b/../c/") == ("a", "c") and remote_files.named("a/..") == ()


class Folder:
    """Stands for the folder of a destination: what `compare` asks of it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def sha256(self, where: tuple[str, ...], entry: RemoteEntry, cancel: object) -> str:
        return hashlib.sha256(self._content).hexdigest()


def delivery(name: str, content: bytes, state: str = "delivered", minutes: int = 0) -> Delivery:
    moment = SENT + datetime.timedelta(minutes=minutes)
    return Delivery(
        "0" * 32, name, SENT.date(), "folder", "/share", "", len(content), hashlib.sha256(content).hexdigest(), 1,
        moment, moment, moment, state, sent_as=name,
    )  # fmt: skip


def test_remote_files_are_compared_with_those_sent() -> None:
    ours = remote_files.sent(
        [delivery("same.csv", b"old"), delivery("same.csv", b"1234", minutes=1),
         delivery("same.csv", b"x", "failed", 2), delivery("size.csv", b"12"), delivery("other.csv", b"abcd"),
         delivery("gone.csv", b"1")], "folder", "/share",
    )  # fmt: skip
    assert not remote_files.sent([delivery("same.csv", b"1")], "folder", "/elsewhere")
    names = {"same.csv": 4, "size.csv": 3, "other.csv": 4, "same.csv.sha256": 64, "strange": 1}
    found = listing(RemoteEntry(name, FILE, size) for name, size in names.items())
    folder: Any = Folder(b"1234")
    told = {each.name: each.state for each in remote_files.compare(folder, found, ours)}
    assert told == {
        "same.csv": "same", "size.csv": "differs", "other.csv": "differs", "same.csv.sha256": "companion",
        "strange": "not ours", "gone.csv": "missing",
    }  # fmt: skip


@pytest.mark.needs("network")
def test_the_commands_of_the_document_as_printed(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: SQLModel
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "report.pdf").write_bytes(b"%PDF")
    commands = re.findall(r"^abq-data-entry (.+)$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert len(commands) == 7
    plain = ("ssl_enable=NO", "force_anon_logins_ssl=NO", "force_anon_data_ssl=NO", "anon_umask=022")
    with vsftpd(Path(__file__), *plain) as server:
        seeds = server.folder / "incoming/seeds"
        seeds.mkdir(parents=True)
        (seeds / "seed list.csv").write_text("Lab,Plot,Seed sample\nA,1,AXM999\n", "utf-8")
        for each in (seeds.parent, seeds):
            shutil.chown(each, *user_and_group())
        done = [
            line(*(word.replace("ftp.example.org:21", f"127.0.0.1:{server.port}") for word in shlex.split(each)))
            for each in commands
        ]
        assert [each.code for each in done] == [0] * 7, done
        assert (seeds / "report.pdf").read_bytes() == b"%PDF"
        _added, listed, entered, got, put, present, there = (each.output for each in done)
        assert re.search(r"^seeds +folder .*its owner may list, change and enter", listed, re.MULTILINE)
        place = f"127.0.0.1:{server.port}/incoming/seeds"
        assert entered == present == f"{place}\n" and put == f"report.pdf is in {place}.\n"
        assert "compared by its size" in got and "--import imports it" in got
        assert there.startswith("name") and "1 not ours" in there

        (tmp_path / "seed list.csv").unlink()
        taken = line("files", "get", "seed list.csv", "--to", "exchange", "--import", "--yes")
        assert taken.output.endswith("1 seed sample imported.\n"), taken
        assert stored.get_current_seed_sample("A", 1) == "AXM999"
        # What can't be undone is asked about at a terminal, and refused without one.
        left = line("files", "rm", "report.pdf", "--to", "exchange").reason
        assert left.startswith("report.pdf was not deleted. Nobody can be asked: add --yes")
        again = line("files", "get", "seed list.csv", "--to", "exchange").reason
        assert "is there already on this computer, and wasn't replaced" in again
        asked = at_terminal(("files", "rm", "report.pdf", "--to", "exchange"), [("Delete report.pdf", "y")])
        assert asked.code == 0 and not (seeds / "report.pdf").exists()
        assert line("files", "cd", "--to", "exchange").output.rstrip().endswith("/incoming")
        assert line("files", "cd", "..", "--to", "exchange").reason == (
            "Nothing above the folder of the destination is shown."
        )


def test_a_shared_folder_and_what_can_t_be_done(line: Line, one_record: None, tmp_path: Path) -> None:
    share = tmp_path / "company"
    share.mkdir()
    assert line("destinations", "add", "archive", "folder", share).code == 0
    assert line("upload", "archive", "--date", DAY).code == 0
    name = f"abq_data_record_{DAY}.csv"
    to = ("--to", "archive")
    assert line("deliveries", "there", *to).output.endswith("1 same, 0 differs, 0 missing, 0 not ours.\n")
    (share / name).write_bytes(b"other")
    wrong = line("deliveries", "there", *to)
    assert (wrong.code, "differs" in wrong.output) == (1, True)
    assert line("files", "mkdir", "a folder", *to).code == 0
    assert line("files", "cd", "a folder", *to).code == 0
    kept = folders.data_folder() / "remote-folders.json"
    assert "a folder" in kept.read_text("ascii")
    assert line("files", "pwd", *to).output == f"{share}/a folder\n"
    assert line("files", "ls", *to).output.startswith("The folder is empty.\n")
    assert line("files", "mv", f"/{name}", "other.csv", *to).output == f"{name} is called other.csv now.\n"
    got = line("files", "get", "../other.csv", "-o", tmp_path, "--text", *to)
    assert (got.code, (tmp_path / "other.csv").read_bytes()) == (0, b"other"), got
    assert line("files", "rmdir", "/a folder", *to).code == 0
    kept.write_text("{", "ascii")
    assert line("files", "pwd", *to).output == f"{share}\n"
    assert "has no folder" in line("files", "ls", "--to", "rest").reason
    assert "There is no destination other" in line("files", "ls", "--to", "other").reason
    assert line("files").code == line("files", "get").code == 2


@pytest.mark.needs("network")
def test_the_ftp_server_of_the_settings_with_a_password(
    line: Line, configure: Callable[..., None], ftp_server: BundledServer
) -> None:
    configure(abq_ftp_host=ftp_server.host, abq_ftp_port=ftp_server.port)
    (ftp_server.folder / "a.csv").write_bytes(b"1")
    login = ("--username", "test", "--password-stdin")
    listed = line("files", "ls", *login, stdin="test\n")
    assert "you may read and replace; you may not rename or delete" in listed.output, listed
    refused = line("files", "rm", "a.csv", "--yes", *login, stdin="test\n").reason
    assert refused.startswith("The server didn't delete a.csv: this user has no right to do that.")
    assert "refused the user name or the password" in line("files", "ls", *login, stdin="wrong\n").reason
    assert line("files", "ls", "--anonymous").code == 1
