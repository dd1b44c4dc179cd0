"""The remote folder: the same steps at real servers of each kind, what lists look like, and servers that mean harm."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry.network import Cancelled, FtpUploads, SftpUploads, folder_store, remote_files_names
from abq_data_entry.network.file_transfer import FtpFiles
from abq_data_entry.network.folder_store import FolderFiles, FolderUploads
from abq_data_entry.network.remote_files import AlreadyThere, FilesRefused, NothingThere, RemoteFiles, with_line_ends
from abq_data_entry.network.remote_files_names import (
    FILE,
    FOLDER,
    LINK,
    MOST_ENTRIES,
    RemoteEntry,
    listing,
    local_name,
    name_problem,
    of_facts,
    of_lines,
    shown,
)
from abq_data_entry.network.secure_shell import SftpFiles
from abq_data_entry.network.webdav import BrowsedUploads, DavFiles
from tests.network import dav_servers
from tests.network.certificates import Authority
from tests.network.faults import Connection, Ftp, serving
from tests.network.real_servers import PASSWORD, proftpd, sshd, user_and_group, vsftpd
from tests.pace import patience

Files = RemoteFiles[Any]
TODAY = datetime.date(2026, 11, 27)
CONTENT = b"Technician\r\nJ Simms\r\n"
LATIN = "gr\udcf6\udcdfe.csv"  # größe.csv in Latin-1


# -- lists ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-rw-r--r--   1 lab  lab      1234 Nov 21 10:00 a.csv", ("a.csv", FILE, 1234, "2026-11-21 10:00")),
        ("-rw-r--r--   1 lab  lab  1234 Dec 21  9:05  two  blanks ", (" two  blanks ", FILE, 1234, "2025-12-21 09:05")),
        ("-rw-r--r-- 1 lab lab 0 Feb 29 10:00 leap", ("leap", FILE, 0, "2024-02-29 10:00")),
        ("drwxr-xr-x+  2 0 0 4096 Mar  3  2019 a folder", ("a folder", FOLDER, None, "2019-03-03")),
        ("lrwxrwxrwx 1 lab lab 9 Nov 21 10:00 latest -> ../secret", ("latest", LINK, None, "2026-11-21 10:00")),
        ("-rw-r--r-- 1 C\\a b users 12 Nov 27 10:00 2026 1 1:12 x", ("2026 1 1:12 x", FILE, 12, "2026-11-27 10:00")),
        ("-rw-r--r-- 1 lab lab 5 2026-11-20 08:00 iso.txt", ("iso.txt", FILE, 5, "2026-11-20 08:00")),
        ("-rw-r--r-- 1 lab lab 5 21. Okt 08:00 in German", ("in German", FILE, 5, "")),
        ("11-21-26  10:00AM       <DIR>          Folder One", ("Folder One", FOLDER, None, "2026-11-21 10:00")),
        ("11-21-2026  12:30PM              1,024 b c.txt", ("b c.txt", FILE, 1024, "2026-11-21 12:30")),
        ("01-02-26  12:05AM                    7 midnight", ("midnight", FILE, 7, "2026-01-02 00:05")),
    ],
)  # fmt: skip
def test_a_line_of_a_list(line: str, expected: tuple[object, ...]) -> None:
    found, strange = of_lines(["total 12", line], TODAY)
    assert (tuple(found[0])[:4], strange) == (expected, 0)


def test_what_is_no_line_of_a_list_is_counted() -> None:
    assert of_lines(["What is this?", "<html>"], TODAY) == ([], 2)


def test_facts_with_rights_in_words() -> None:
    lines = [
        "type=cdir;perm=el; /x", "type=pdir; ..", "type=file;size=12;modify=20261121100000.5;perm=r; a b.csv",
        "Type=OS.unix=slink:/etc;  l", "type=dir;UNIX.mode=0750; d", "size=99999999999999999999;type=file; huge", "no",
    ]  # fmt: skip
    own, file, link, folder, huge = of_facts(lines)
    assert own.name == "." and own.rights == (
        "you may enter and list; you may not put files there, make folders there, delete in it, rename or delete"
    )
    assert (file.name, file.size, file.rights) == (
        "a b.csv", 12, "you may read; you may not replace, rename or delete",
    )  # fmt: skip
    moment = datetime.datetime(2026, 11, 21, 10, tzinfo=datetime.timezone.utc).astimezone()
    assert file.when == f"{moment:%Y-%m-%d %H:%M}"
    assert (link.name, link.kind) == (" l", LINK) and huge.size is None
    assert folder.rights == "its owner may list, change and enter, its group list and enter, others nothing"


def test_malicious_names_are_left_out_and_counted() -> None:
    names = ["../up", "a/b", "c\\d", "e\nf", "..", ".", "", "n\0", "x" * 300, "fine", "fine", LATIN]
    found = listing(RemoteEntry(each, FILE) for each in names)
    assert [each.name for each in found.entries] == ["fine", LATIN] and found.remark.startswith("7 names can't be used")
    assert found.entries[1].shown == "größe.csv" and found.find("größe.csv") == found.entries[1]
    assert not listing(RemoteEntry(str(each), FILE) for each in range(MOST_ENTRIES + 1)).complete
    assert shown("a\u202etxt.exe") == "a?txt.exe" and local_name("..") == "_" and local_name("a/../b") == "a_.._b"
    assert not name_problem("größe 記録.csv") and name_problem("..")


def test_line_ends() -> None:
    assert with_line_ends(b"a\r\nb\nc\r\n", "\n") == b"a\nb\nc\n"
    assert with_line_ends(b"a\r\nb\n", "\r\n") == b"a\r\nb\r\n"


# -- real servers ---------------------------------------------------------------------------------------

SERVERS = ("vsftpd", "proftpd", "sshd", "apache", "nginx", "folder")
_PLAIN = ("ssl_enable=NO", "force_anon_logins_ssl=NO", "force_anon_data_ssl=NO", "anon_umask=022")


@contextlib.contextmanager
def running(kind: str, trusted: Authority, folder: Path) -> Iterator[tuple[Files, Path]]:
    certificate = trusted.issue("127.0.0.1")
    with contextlib.ExitStack() as stack:
        made: Files
        if kind == "vsftpd":
            server = stack.enter_context(vsftpd(certificate, *_PLAIN))
            ftp = FtpUploads("127.0.0.1", server.port, "anonymous", "", security="none", passive=False)
            made, place = FtpFiles(ftp, 20.0), server.folder
        elif kind == "proftpd":
            server = stack.enter_context(proftpd(certificate, "AllowOverwrite on", "AllowStoreRestart on"))
            ftp = FtpUploads(
                "127.0.0.1", server.port, server.username, PASSWORD, security="explicit", ca_file=trusted.file
            )
            made, place = FtpFiles(ftp, 20.0), server.folder
        elif kind == "sshd":
            shell = stack.enter_context(sshd())
            (folder / "known").write_text(f"[127.0.0.1]:{shell.port} {shell.host_key}\n")
            sftp = SftpUploads("127.0.0.1", shell.port, shell.username, "", folder / "known", shell.key_file)
            made, place = SftpFiles(sftp, 20.0), shell.folder
        elif kind == "folder":
            place = folder / "share"
            place.mkdir()
            made = FolderFiles(lambda each: FolderUploads(each, timeout=20.0), str(place), 20.0)
        else:
            dav = stack.enter_context(dav_servers.apache() if kind == "apache" else dav_servers.nginx())
            made, place = DavFiles(
                lambda each: BrowsedUploads(dav.url, each, dav_servers.USERNAME, dav_servers.PASSWORD, timeout=20.0),
                "", 20.0,
            ), dav.folder  # fmt: skip
        with made:
            yield made, place


def give(path: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, *user_and_group(), follow_symlinks=False)


@pytest.mark.needs("network")
@pytest.mark.parametrize("kind", SERVERS)
def test_a_folder_in_view(kind: str, trusted: Authority, tmp_path: Path) -> None:
    with running(kind, trusted, tmp_path) as (files, there):
        assert files.list().entries == ()
        files.make_folder((), "größe 記録")
        where = ("größe 記録",)
        local = tmp_path / "staff list.csv"
        local.write_bytes(CONTENT)
        assert files.put(where, local) == local.name
        assert (there / where[0] / local.name).read_bytes() == CONTENT
        with pytest.raises(AlreadyThere):
            files.put(where, local)
        local.write_bytes(CONTENT * 2)
        files.put(where, local, replace=True)

        (entry,) = files.list(where).entries
        assert (entry.name, entry.kind, entry.size) == (local.name, FILE, 2 * len(CONTENT)) and entry.when
        assert entry.rights or kind in ("apache", "nginx")
        target = tmp_path / "got.csv"
        got = files.get(where, entry, target)
        assert target.read_bytes() == CONTENT * 2 and got.sha256 == hashlib.sha256(CONTENT * 2).hexdigest()
        with pytest.raises(AlreadyThere):
            files.get(where, entry, target)
        files.get(where, entry, target, replace=True, text=True)
        assert target.read_bytes() == (CONTENT * 2).replace(b"\r\n", os.linesep.encode())

        with pytest.raises(FilesRefused, match="isn't empty"):
            files.remove_folder((), files.find((), where[0]))
        files.put(where, local, "other.csv")
        with pytest.raises(AlreadyThere):
            files.rename(where, entry, "other.csv")
        files.rename(where, entry, "renamed.csv")
        for name in ("renamed.csv", "other.csv"):
            files.remove(where, files.find(where, name))
        assert files.list(where).entries == ()
        files.remove_folder((), files.find((), where[0]))
        with pytest.raises(NothingThere):
            files.find((), where[0])
        assert [*there.iterdir()] == [] and not [*tmp_path.glob(".*")]


@pytest.mark.needs("network")
@pytest.mark.parametrize("kind", SERVERS)
def test_links_lead_nowhere_and_names_keep_their_bytes(kind: str, trusted: Authority, tmp_path: Path) -> None:
    with running(kind, trusted, tmp_path) as (files, there):
        name = os.fsencode(there) + b"/gr\xf6\xdfe.csv"
        Path(os.fsdecode(name)).write_bytes(CONTENT)
        give(Path(os.fsdecode(name)))
        entry = files.find((), "größe.csv")
        target = tmp_path / local_name(entry.name)
        assert files.get((), entry, target).path.name == "größe.csv"
        files.rename((), entry, "ascii.csv")
        assert (there / "ascii.csv").read_bytes() == CONTENT
        (there / "out").symlink_to(there.parent)
        (there / "secret").symlink_to(there.parent / "log")
        if kind == "proftpd":  # it shows what a link leads to, and leaves out those that lead out of its root
            with pytest.raises(FilesRefused):
                files.list(("out",))
        elif kind not in ("apache", "nginx"):  # these follow links by themselves where they are told to
            assert {each.name: each.kind for each in files.list().entries} == {
                "ascii.csv": FILE, "out": LINK, "secret": LINK,
            }  # fmt: skip
            with pytest.raises(FilesRefused):
                files.list(("out",))
            with pytest.raises(FilesRefused, match="links aren't followed"):
                files.get((), files.find((), "secret"), tmp_path / "x")
            files.remove((), files.find((), "out"))
            assert there.parent.is_dir() and not (there / "out").is_symlink()
        for each in ("..", "../files", "a/b"):
            with pytest.raises(FilesRefused):
                files.list((each,))


@pytest.mark.needs("network")
@pytest.mark.parametrize("kind", SERVERS)
def test_a_part_is_gone_on_with(kind: str, trusted: Authority, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    with running(kind, trusted, tmp_path) as (files, there):
        (there / "big.bin").write_bytes(content)
        give(there / "big.bin")
        entry, target, cancel, reports = files.find((), "big.bin"), tmp_path / "big.bin", threading.Event(), []

        def note(done: int, total: int) -> None:
            reports.append(done)
            if len(reports) == 2:
                cancel.set()

        with pytest.raises(Cancelled):
            files.get((), entry, target, progress=note, cancel=cancel)
        (part,) = tmp_path.glob(".big.bin.*")
        # What is there stays: the next attempt begins where this one ended.
        part.write_bytes(content[:2_000_000])
        reports[:] = [0, 0, 0]
        files.get((), entry, target, progress=note)
        assert target.read_bytes() == content and min(reports[3:]) > 1_900_000 and not part.exists()
        # A part that was damaged isn't.
        target.unlink()
        part.write_bytes(b"x" * 2_000_000)
        files.get((), entry, target)
        assert target.read_bytes() == content


def shared(folder: Path) -> FolderFiles:
    return FolderFiles(lambda each: FolderUploads(each, timeout=5.0), str(folder), 5.0)


def test_a_part_of_an_older_version_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    there, target, end = tmp_path / "share/a", tmp_path / "a", os.urandom(1_000_000)
    there.write_bytes(b"old" + end)
    os.utime(there, (1_700_000_000, 1_700_000_000))
    with shared(tmp_path / "share") as files:
        stop = threading.Event()

        def killed(done: int, total: int) -> None:
            if done > 500_000:
                stop.set()

        with pytest.raises(Cancelled):
            files.get((), files.find((), "a"), target, progress=killed, cancel=stop)
        there.write_bytes(b"NEW" + end)  # as large as before, in the same minute, and with the same end
        os.utime(there, (1_700_000_001, 1_700_000_001))
        files.get((), files.find((), "a"), target)
        assert target.read_bytes() == there.read_bytes()


class Breaking(FolderFiles):
    """Its line breaks once, after `after` bytes; then `meanwhile` happens at the other end."""

    after = 500_000
    told = True

    def __init__(self, share: Path) -> None:
        super().__init__(lambda each: FolderUploads(each, timeout=5.0), str(share), 5.0)
        self.begins: list[int] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def _is_break(self, error: Exception) -> bool:
        return isinstance(error, ConnectionResetError)

    def _list(self, *arguments: Any) -> Any:
        found = super()._list(*arguments)
        bare = [each if self.told else each._replace(when="", version="") for each in found.entries]
        return found._replace(entries=tuple(bare))

    def _fetch(self, session: Any, guard: Any, where: Any, entry: RemoteEntry, begin: int) -> Iterator[bytes]:
        self.begins.append(begin)
        for block in super()._fetch(session, guard, where, entry, begin):
            yield block
            begin += len(block)
            if begin > self.after:
                self.after = 2**62
                self.meanwhile()
                raise ConnectionResetError


@pytest.mark.parametrize("told", [True, False])
def test_what_is_swapped_while_the_line_is_broken_is_fetched_anew(tmp_path: Path, told: bool) -> None:
    """Of the same size and with the same end as far as it came: only its time differs, where the server tells that."""
    (tmp_path / "share").mkdir()
    there, target, end = tmp_path / "share/a", tmp_path / "a", os.urandom(1_000_000)

    def swap() -> None:
        there.write_bytes(b"NEW" + end)
        os.utime(there, (1_700_000_001, 1_700_000_001))

    files = Breaking(tmp_path / "share")
    with files:
        for meanwhile in (swap, lambda: None):
            there.write_bytes(b"old" + end)
            os.utime(there, (1_700_000_000, 1_700_000_000))
            files.meanwhile, files.told, files.after = meanwhile, told, 500_000
            files.begins.clear()
            got = files.get((), files.find((), "a"), target, replace=True)
            assert target.read_bytes() == there.read_bytes() and got.size == len(end) + 3
            assert len(files.begins) == 2
            assert (files.begins[1] > 0) == (told and meanwhile is not swap), "what didn't change is gone on with"


def test_old_parts_of_ours_go(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "share/a").write_bytes(b"content")
    old, new = time.time() - 8 * 24 * 3600, time.time() - 6 * 24 * 3600
    names = {".a.0123456789ab.abq-part": old, ".b c.0123456789ab.abq-part.text": old, ".a.abcdef012345.abq-part": new,
             "a.0123456789ab.abq-part": old, ".a.0123.abq-part": old, "notes.txt": old}  # fmt: skip
    for name, when in names.items():
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (when, when))
    (tmp_path / ".c.0123456789ab.abq-part").symlink_to(tmp_path / "notes.txt")
    (tmp_path / "below").mkdir()
    (tmp_path / "below/.a.0123456789ab.abq-part").write_bytes(b"x")
    os.utime(tmp_path / "below/.a.0123456789ab.abq-part", (old, old))
    with shared(tmp_path / "share") as files:
        files.get((), files.find((), "a"), tmp_path / "a")
    left = {each.name for each in tmp_path.iterdir()}
    assert left == {"a", "share", "below", ".c.0123456789ab.abq-part", *[*names][2:]}
    assert list((tmp_path / "below").iterdir())


def test_a_list_that_was_cut_lets_nothing_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (remote_files_names, folder_store):
        monkeypatch.setattr(module, "MOST_ENTRIES", 2)
    share, local = tmp_path / "share", tmp_path / "new"
    share.mkdir()
    local.write_bytes(b"new")
    names = [*"abcde"]
    for each in names:
        (share / each).write_text(each)
    with shared(share) as files:
        first = files.list().entries[0]
        for each in names:
            with pytest.raises(AlreadyThere):
                files.rename((), first, each)
            with pytest.raises(AlreadyThere):
                files.put((), local, each)
    assert [(share / each).read_text() for each in names] == names


# -- servers that mean harm -----------------------------------------------------------------------------


def hostile(list_of: bytes, *, endless: bool = False, content: bytes = b"") -> Callable[[Connection], None]:
    """An FTP server that knows LIST only; `endless`: it sends its list, or the content, again and again."""

    def script(control: Connection) -> None:
        control.send(b"220 ready\r\n")
        listener: socket.socket | None = None
        while line := control.until(b"\r\n"):
            command, _, _ = line.decode().strip().partition(" ")
            if command == "PASV":
                listener = socket.create_server(("127.0.0.1", 0))
                port = listener.getsockname()[1]
                control.send(f"227 here (127,0,0,1,{port // 256},{port % 256})\r\n".encode())
            elif command in ("LIST", "RETR", "NLST") and listener is not None:
                control.send(b"150 here it comes\r\n")
                with listener, listener.accept()[0] as data, contextlib.suppress(OSError):
                    while not control.ended.is_set():
                        data.sendall(content if command == "RETR" else list_of)
                        if not endless:
                            break
                with contextlib.suppress(OSError):
                    control.send(b"226 done\r\n")
            else:
                replies = {"USER": "331 ?", "PASS": "230 in", "PWD": '257 "/"', "TYPE": "200 fine", "CWD": "250 fine"}
                control.send(f"{replies.get(command, '502 not known')}\r\n".encode())

    return script


def at(port: int, timeout: float = 20.0) -> FtpFiles:
    return FtpFiles(FtpUploads("127.0.0.1", port, "lab", "x", security="none"), timeout)


@pytest.mark.needs("network")
def test_a_list_that_never_ends_is_cut(tmp_path: Path) -> None:
    line = b"-rw-r--r-- 1 lab lab 5 Nov 21 10:00 %s\r\n"
    many = b"".join(line % str(number).encode() for number in range(20_000))
    with serving(hostile(many, endless=True)) as port, at(port) as files:
        found = files.list()
        assert len(found.entries) == MOST_ENTRIES and "There is more" in found.remark
        assert files.list().entries == found.entries  # over another session
    bad = hostile(line % b"../../up" + line % b"/etc/passwd" + line % b"ok", content=b"x" * 9)
    with serving(bad) as port, at(port) as files:
        (entry,) = files.list().entries
        with pytest.raises(FilesRefused, match="More came"):
            files.get((), entry, tmp_path / "ok")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.needs("network")
def test_names_alone_and_a_file_that_is_cut(tmp_path: Path) -> None:
    with serving(hostile(b"a strange list\r\n./b\r\n", content=b"1234")) as port, at(port) as files:
        assert [each.name for each in files.list().entries] == ["a strange list", "b"]
        files.get((), files.find((), "b"), tmp_path / "b")
        assert (tmp_path / "b").read_bytes() == b"1234"
        with pytest.raises(FilesRefused, match="Only 4 of the 10 bytes"):
            files.get((), RemoteEntry("b", FILE, 10), tmp_path / "c")
    assert [each.name for each in tmp_path.iterdir()] == ["b"]


@pytest.mark.needs("network")
def test_a_frozen_server_is_left_by_timeout_and_at_once_by_cancel() -> None:
    def frozen(control: Connection) -> None:
        control.send(b"220 ready\r\n")
        control.until(b"\r\n")
        control.stall()

    with serving(frozen) as port:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            at(port, 0.4).list()
        cancel = threading.Event()
        threading.Timer(0.2, cancel.set).start()
        with pytest.raises(Cancelled):
            at(port, 60.0).list((), cancel)
        assert time.monotonic() - begun < 15


@contextlib.contextmanager
def freezing_ftp(frozen: threading.Event, folder: Path) -> Iterator[Files]:
    """By FTP; from the moment that the server has a part of the file on, it answers nobody."""

    def stall_midway(control: Connection, _data: Connection) -> None:
        frozen.set()
        control.stall()

    server = Ftp({"LIST": "550 no files"}, keep=10, after=stall_midway)
    with serving(lambda control: control.stall() if frozen.is_set() else server(control)) as port, at(port) as files:
        yield files


@contextlib.contextmanager
def freezing_sftp(frozen: threading.Event, folder: Path) -> Iterator[Files]:
    """By SFTP, over a line that goes silent when `frozen` is set."""
    with sshd() as server:

        def carry(source: Connection, target: Connection) -> None:
            with contextlib.suppress(OSError):
                while (block := source.socket.recv(65536)) and not frozen.is_set():
                    target.send(block)
                if frozen.is_set():
                    source.stall()

        def relay(client: Connection) -> None:
            with socket.create_connection(("127.0.0.1", server.port)) as upstream:
                there = Connection(upstream, client.ended)
                threading.Thread(target=carry, args=(there, client), daemon=True).start()
                carry(client, there)

        with serving(relay) as port:
            (folder / "known").write_text(f"[127.0.0.1]:{port} {server.host_key}\n")
            sftp = SftpUploads("127.0.0.1", port, server.username, "", folder / "known", server.key_file)
            with SftpFiles(sftp, 60.0) as files:
                yield files


@pytest.mark.needs("network")
@pytest.mark.parametrize("freezing", [freezing_ftp, freezing_sftp])
def test_cancel_waits_for_no_tidying_at_a_server_that_is_frozen(
    freezing: Callable[[threading.Event, Path], contextlib.AbstractContextManager[Files]], tmp_path: Path
) -> None:
    frozen, cancel, path, cancelled = threading.Event(), threading.Event(), tmp_path / "big.csv", list[float]()
    path.write_bytes(os.urandom(8_000_000))

    def stop() -> None:
        frozen.wait(20)
        cancelled.append(time.monotonic())
        cancel.set()

    with freezing(frozen, tmp_path) as files:
        threading.Thread(target=stop, daemon=True).start()
        with pytest.raises(Cancelled):
            files.put((), path, progress=lambda sent, total: frozen.set(), cancel=cancel)
        assert time.monotonic() - cancelled[0] < patience(2)


def test_nothing_is_written_where_something_stands(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "share/a").write_bytes(b"a")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder").mkdir()
    files = FolderFiles(lambda each: FolderUploads(each, timeout=5.0), str(tmp_path / "share"), 5.0)
    entry = files.find((), "a")
    for name in ("link", "folder", "missing/a"):
        with pytest.raises(FilesRefused):
            files.get((), entry, tmp_path / name, replace=True)
    assert not (tmp_path / "elsewhere").exists()
