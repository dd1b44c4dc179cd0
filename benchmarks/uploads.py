"""How long our uploads take against curl's and OpenSSH's, and how much memory they need.

Both sides send the same sparse file to the same server, in turns: the bundled one by REST (it throws a PUT away),
vsftpd by FTP and FTPS, sshd by SFTP. Their time is that of their whole process, ours that of the call in a process that
is already running.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.options import CHECKOUT, Options
from tests import programs
from tests.fixtures.servers import bundled_server
from tests.network import certificates, real_servers

WORKER = r"""
import json, sys, time
from abq_data_entry import network
from benchmarks.memory import most_memory

name, arguments, options, small, large = json.loads(sys.argv[1])
upload = getattr(network, name)
upload(small, *arguments, **options)
before = most_memory()
start = time.perf_counter()
upload(large, *arguments, **options)
print(json.dumps([time.perf_counter() - start, most_memory() - before]))
"""
LIMITS = {"REST": 1.25, "FTP": 1.15, "FTPS": 1.15, "SFTP": 1.6}
MEMORY_LIMIT = 10.0  # MiB
MOST_PAIRS = 7


@dataclass(frozen=True)
class Files:
    """What is sent: a small file first, so that everything is imported, then the large one."""

    folder: Path
    small: Path
    large: Path


@dataclass(frozen=True)
class Contest:
    """A destination: our function with its arguments, the other program's words, and where the file arrives."""

    function: str
    arguments: Sequence[object]
    options: dict[str, Any]
    words: list[str]
    arrived: Path | None = None
    against: str = "curl"
    environment: dict[str, str] | None = None


def measure(options: Options) -> list[table.Row]:
    """All protocols, one after the other."""
    programs.provide()
    with tempfile.TemporaryDirectory(prefix="abq-uploads-") as name:
        folder = Path(name)
        files = Files(folder, folder / "small.csv", folder / "large.csv")
        files.small.write_bytes(b"0" * 1024)
        with files.large.open("wb") as file:
            file.truncate(options.upload_megabytes * 1_000_000)
        pairs = min(options.runs, MOST_PAIRS)
        return [row for kind in LIMITS for row in _rows(kind, files, pairs, options.upload_megabytes)]


def _rows(kind: str, files: Files, pairs: int, megabytes: int) -> list[table.Row]:
    what = f"upload of {megabytes} MB by {kind}"
    missing = [name for name in _NEEDS[kind] if _program(name) is None]
    if missing:
        reason = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"
        return [table.not_measured(what, reason, LIMITS[kind], "×")]
    with _DESTINATIONS[kind](files) as contest:
        ours, theirs, growths = _in_turns(contest, files, pairs)
    return [
        table.ratios(f"{what}, against {contest.against}", ours, theirs, LIMITS[kind]),
        table.row(f"{what}, memory added", "MiB", [max(growths)], MEMORY_LIMIT),
    ]


def _program(name: str) -> Path | None:
    return programs.shell_tool(name) if name in ("sftp", "ssh", "ssh-keygen") else programs.find(name)


def _in_turns(contest: Contest, files: Files, pairs: int) -> tuple[list[float], list[float], list[float]]:
    """Return the seconds of both, and by how many MiB our process grew."""
    growths: list[float] = []

    def our_turn() -> float:
        seconds, growth = _ours(contest, files)
        growths.append(growth)
        return seconds

    def their_turn() -> float:
        return _theirs(contest)

    their_turn()  # the file is in the cache from now on
    turns: list[Callable[[], float]] = [our_turn, their_turn]
    times: tuple[list[float], list[float]] = ([], [])
    for pair in range(pairs):
        for place in (0, 1) if pair % 2 else (1, 0):
            if contest.arrived is not None:
                contest.arrived.unlink(missing_ok=True)
            times[place].append(turns[place]())
            if contest.arrived is not None and contest.arrived.stat().st_size != files.large.stat().st_size:
                raise RuntimeError(f"{contest.arrived.name} didn't arrive whole")
    return *times, growths


def _ours(contest: Contest, files: Files) -> tuple[float, float]:
    task = [contest.function, contest.arguments, contest.options, str(files.small), str(files.large)]
    words = [sys.executable, "-c", WORKER, json.dumps(task)]
    done = subprocess.run(words, cwd=CHECKOUT, check=True, capture_output=True, text=True)
    seconds, growth = json.loads(done.stdout)
    return seconds, growth


def _theirs(contest: Contest) -> float:
    start = time.perf_counter()
    subprocess.run(contest.words, check=True, stdout=subprocess.DEVNULL, env=contest.environment)
    return time.perf_counter() - start


@contextmanager
def _rest(files: Files) -> Iterator[Contest]:
    with bundled_server("sample_http_server.py", "--print-limit", "4096", workspace=files.folder) as server:
        words = ["curl", "-sS", "--fail", "-o", "/dev/null", "-F", f"file=@{files.large}", "-X", "PUT"]
        arguments = [server.upload_url, server.auth_url, "test", "test"]
        yield Contest("upload_to_corporate_rest", arguments, {}, [*words, server.upload_url])


@contextmanager
def _ftp(files: Files, encrypted: bool = False) -> Iterator[Contest]:
    authority = certificates.authority("Benchmark", files.folder)
    optional = [] if encrypted else ["force_anon_logins_ssl=NO", "force_anon_data_ssl=NO"]
    with real_servers.vsftpd(authority.issue("127.0.0.1"), *optional) as server:
        words = ["curl", "-sS", "-T", str(files.large), "--user", "anonymous:x"]
        words += ["--ssl-reqd", "--cacert", str(authority.file)] if encrypted else []
        options = {"security": "explicit", "ca_file": str(authority.file)} if encrypted else {"security": "none"}
        arguments = ["127.0.0.1", server.port, "anonymous", "x"]
        yield Contest(
            "upload_to_corporate_ftp",
            arguments,
            options,
            [*words, f"ftp://127.0.0.1:{server.port}/"],
            server.folder / files.large.name,
        )


@contextmanager
def _ftps(files: Files) -> Iterator[Contest]:
    with _ftp(files, encrypted=True) as contest:
        yield contest


@contextmanager
def _sftp(files: Files) -> Iterator[Contest]:
    with ExitStack() as stack:
        server = stack.enter_context(real_servers.sshd())
        sftp, ssh = programs.shell_tool("sftp"), programs.shell_tool("ssh")
        assert sftp is not None and ssh is not None
        known, batch = files.folder / "known_hosts", files.folder / "batch"
        known.write_text(f"[127.0.0.1]:{server.port} {server.host_key}\n")
        batch.write_text(f"put {files.large} {files.large.name}\n")
        key = files.folder / "key"
        key.write_bytes(server.key_file.read_bytes())
        key.chmod(0o600)
        options = [f"UserKnownHostsFile={known}", f"IdentityFile={key}", "IdentitiesOnly=yes", "BatchMode=yes"]
        words = [str(sftp), "-q", "-S", str(ssh), "-b", str(batch), "-P", str(server.port), "-F", "none"]
        words += [word for option in options for word in ("-o", option)]
        arguments = ["127.0.0.1", server.port, server.username, "", str(known), str(key)]
        yield Contest(
            "upload_to_corporate_sftp",
            arguments,
            {},
            [*words, f"{server.username}@127.0.0.1"],
            server.folder / files.large.name,
            "OpenSSH's sftp",
            programs.environment(sftp),
        )


_DESTINATIONS = {"REST": _rest, "FTP": _ftp, "FTPS": _ftps, "SFTP": _sftp}
_NEEDS = {
    "REST": ["curl"],
    "FTP": ["curl", "vsftpd"],
    "FTPS": ["curl", "vsftpd"],
    "SFTP": ["sshd", "ssh-keygen", "sftp", "ssh"],
}
