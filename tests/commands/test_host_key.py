"""An SFTP server that was never seen before: somebody at the terminal is asked once, nobody else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import DAY, Outcome, at_terminal
from tests.network.real_servers import ShellServer, sshd

NAME = f"abq_data_record_{DAY}.csv"


@pytest.fixture
def shell(configure: Callable[..., None], one_record: None, tmp_path: Path) -> Iterator[ShellServer]:
    """An SFTP server, set as the destination, that nobody knows yet."""
    with sshd() as running:
        configure(
            abq_transfer="sftp",
            abq_ftp_host="127.0.0.1",
            abq_sftp_port=running.port,
            abq_sftp_key_file=str(running.key_file),
            abq_sftp_known_hosts=str(tmp_path / "known_hosts"),
        )
        yield running


def upload(shell: ShellServer, *answers: str) -> Outcome:
    questions = [("Password of ", "none"), *(("[y/N]", answer) for answer in answers)]
    return at_terminal(["upload", "ftp", "--date", DAY, "--username", shell.username], questions)


def test_a_yes_is_kept(shell: ShellServer, tmp_path: Path) -> None:
    done = upload(shell, "y")
    assert done.code == 0, done
    assert "The server 127.0.0.1 isn't known yet. Its key has the fingerprint SHA256:" in done.output
    assert (shell.folder / NAME).is_file()
    assert shell.host_key in (tmp_path / "known_hosts").read_text()
    again = upload(shell)
    assert again.code == 0 and "[y/N]" not in again.output


@pytest.mark.parametrize("answer", ["", "n", "nyes"])
def test_everything_else_is_a_no(shell: ShellServer, tmp_path: Path, answer: str) -> None:
    done = upload(shell, answer)
    assert done.code == 1 and done.output.count("[y/N]") == 1
    assert not list(shell.folder.iterdir()) and not (tmp_path / "known_hosts").exists()


def test_without_a_terminal_nobody_is_asked(shell: ShellServer, line: Callable[..., Outcome]) -> None:
    done = line("upload", "ftp", "--date", DAY, "--username", shell.username, "--password-stdin", stdin="none\n")
    assert "isn't known yet" in done.reason and "abq_sftp_host_key" in done.reason
    assert "[y/N]" not in done.errors and not list(shell.folder.iterdir())
