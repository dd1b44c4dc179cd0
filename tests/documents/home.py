"""The home of somebody who has nothing yet but the installed command, and a shell in which they type."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.test_documents import ROOT

from . import loaded_program

_COMMAND = f"""#!/bin/sh
exec '{sys.executable}' -m abq_data_entry "$@"
"""
_COMMAND_ONCE_LOADED = f"""#!/bin/sh
exec '{sys.executable}' -I -S '{loaded_program.__file__}' '{{place}}' "$@"
"""
_KEYRING = '''
import json, os, keyring.backend
class Keyring(keyring.backend.KeyringBackend):
    """A keyring in a file, as the machine of the tests has none."""
    priority = 1
    def _kept(self):
        return json.load(open(os.environ["KEPT"])) if os.path.exists(os.environ["KEPT"]) else {}
    def get_password(self, service, username):
        return self._kept().get(f"{service} {username}")
    def set_password(self, service, username, password):
        json.dump({**self._kept(), f"{service} {username}": password}, open(os.environ["KEPT"], "w"))
'''


class Home:
    """A folder that is somebody's home, with the command on the PATH and no settings, no data, no login.

    `theirs` are texts of the documents that are other ones here: places, ports, names of users.
    """

    def __init__(self, folder: Path, theirs: dict[str, str] | None = None, **variables: str) -> None:
        self.folder = folder
        self.theirs = theirs or {}
        programs = folder / "bin"
        programs.mkdir(parents=True)
        (programs / "abq-data-entry").write_text(_COMMAND, "utf-8")
        (programs / "abq-data-entry").chmod(0o755)
        (programs / "keyring").write_text(f"#!/bin/sh\nexec '{sys.executable}' -m keyring \"$@\"\n", "utf-8")
        (programs / "keyring").chmod(0o755)
        (folder / "kept_keyring.py").write_text(_KEYRING, "utf-8")
        (folder / "create_db.sql").symlink_to(ROOT / "create_db.sql")
        (folder / "tmp").mkdir(mode=0o1777)
        (folder / "tmp").chmod(0o1777)
        foreign = ("ABQ_", "PG", "XDG_", "DISPLAY", "WAYLAND")
        own = {name: text for name, text in os.environ.items() if not name.startswith(foreign)}
        self.environment = {
            **own,
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "PATH": f"{programs}{os.pathsep}{own['PATH']}",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
            "PYTHON_KEYRING_BACKEND": "kept_keyring.Keyring",
            "KEPT": str(folder / "kept.json"),
            **variables,
        }

    @property
    def data(self) -> Path:
        return self.folder / ".local/share/abq-data-entry"

    def configure(self, **settings: str | int | bool) -> None:
        """Write the settings file."""
        types = {bool: "bool", int: "int", str: "str"}
        entries = {name: {"type": types[type(value)], "value": value} for name, value in settings.items()}
        file = self.folder / ".config/abq-data-entry/abq_settings.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(entries), "utf-8")

    @contextmanager
    def program_once_loaded(self) -> Iterator[None]:
        """Within the block the command is a fork of a program that was loaded once: for many lines."""
        command, place = self.folder / "bin/abq-data-entry", self.folder / "program"
        program = subprocess.Popen(
            [sys.executable, loaded_program.__file__, str(place)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # with no terminal, as below
        )
        with program:
            try:
                assert program.stdout is not None and program.stdout.readline() == loaded_program.READY
                command.write_text(_COMMAND_ONCE_LOADED.format(place=place), "utf-8")
                yield
            finally:
                command.write_text(_COMMAND, "utf-8")
                program.kill()

    def type(self, line: str, answers: str = "") -> subprocess.CompletedProcess[str]:
        """Type a line of a document; `answers` is what is typed when it asks. Nobody sits at a terminal."""
        for theirs, ours in self.theirs.items():
            line = line.replace(theirs, ours)
        command = ["/bin/sh", "-c", line]
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # with no terminal, programs that ask for passwords read what is put in
        ) as shell:
            try:
                output, errors = shell.communicate(answers, timeout=120)
            except BaseException:
                os.killpg(shell.pid, signal.SIGKILL)  # nothing of it goes on beside other tests
                raise
        return subprocess.CompletedProcess(command, shell.returncode, output, errors)
