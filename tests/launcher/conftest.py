"""A small checkout to start from: the real launcher, tiny locks, and a package to install."""

import base64
import hashlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from abq_data_entry.launcher.virtualenv import base_executable
from tests.fixtures.made_once import MadeOnce

ROOT = Path(__file__).resolve().parent.parent.parent
# Stands for the application: tells where it runs, with what, and which version of the package it finds there.
_APPLICATION = """
import importlib.metadata, json, sys

def main(argv):
    packages = {each.metadata["Name"]: each.version for each in importlib.metadata.distributions()}
    print(json.dumps({"prefix": sys.prefix, "base": sys.base_prefix, "argv": argv,
                      "version": sys.version.split()[0],
                      "seedling": packages.get("seedling")}))
    return 7 if argv[:1] == ["seven"] else 0
"""


@dataclass
class Checkout:
    """A folder as a newcomer has it after cloning."""

    folder: Path

    def start(self, *words: str, python: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the launcher, without a terminal, and wait for its end."""
        return subprocess.run(
            self.command(*words, python=python),
            env=self.environment(**environment),
            cwd=self.folder.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def command(self, *words: str, python: str | None = None) -> list[str]:
        return [python or base_executable(), str(self.folder / "abq_data_entry.py"), *words]

    def environment(self, **more: str) -> dict[str, str]:
        """This process's environment without a display, and without what would reach another package index."""
        own = {key: value for key, value in os.environ.items() if key != "DISPLAY" and not key.startswith("PIP_")}
        return {**own, "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0", **more}

    def give_environment(self, prepared: Path) -> Path:
        """Let it have an environment that was made there by hand: a copy of the prepared one."""
        environment = self.folder / ".venv"
        shutil.copytree(prepared, environment, symlinks=True)
        facts = environment / "pyvenv.cfg"
        facts.write_text(facts.read_text("utf-8").replace(f"{prepared}.part", str(environment)), "utf-8")
        return environment

    def require(self, version: str, digest: str | None = None) -> None:
        """Write a lock that wants this version of the package ``seedling``, which lies in the folder's own index."""
        wheel = make_wheel(self.folder / "index", version)
        digest = digest or hashlib.sha256(wheel.read_bytes()).hexdigest()
        index = (self.folder / "index").as_uri()
        (self.folder / "requirements.lock").write_text(
            f"--no-index\n--find-links {index}\nseedling=={version} --hash=sha256:{digest}\n", "utf-8"
        )


def answer(finished: subprocess.CompletedProcess[str]) -> dict:
    """What the stand-in application printed."""
    assert finished.stdout, finished.stderr
    return json.loads(finished.stdout)


def make_wheel(folder: Path, version: str) -> Path:
    """A pure package "seedling" of one empty module."""
    folder.mkdir(exist_ok=True)
    path = folder / f"seedling-{version}-py3-none-any.whl"
    information = f"seedling-{version}.dist-info"
    files = {
        "seedling.py": "",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: seedling\nVersion: {version}\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},sha256={_record_digest(text)},{len(text)}\n" for name, text in files.items())
    files[f"{information}/RECORD"] = record + f"{information}/RECORD,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)  # a fixed time: the same bytes, the same hash
    return path


def _record_digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@contextmanager
def tls_listener(pair: Path) -> Iterator[int]:
    """A port that speaks TLS with this certificate and key, as a proxy does that reads encrypted connections."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with socket.create_server(("localhost", 0)) as listener:
        def answer_until_closed() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as encrypted:
                    encrypted.recv(1000)

        thread = threading.Thread(target=answer_until_closed)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """In a folder with a blank and an umlaut in its name, as homes have them."""
    folder = tmp_path / "Müllers Labor"
    package = folder / "abq_data_entry"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "abq_data_entry/__init__.py", package)
    shutil.copytree(
        ROOT / "abq_data_entry/launcher", package / "launcher", ignore=shutil.ignore_patterns("__pycache__")
    )
    (package / "__main__.py").write_text(_APPLICATION, "utf-8")
    shutil.copy(ROOT / "abq_data_entry.py", folder)
    (folder / "requirements-build.lock").write_text("", "utf-8")
    made = Checkout(folder)
    made.require("1.0")
    return made


@pytest.fixture(scope="session")
def prepared(made_once: MadeOnce) -> Path:
    """An environment with nothing but pip; for copies only."""

    def make(folder: Path) -> None:
        subprocess.run([base_executable(), "-I", "-m", "venv", "--clear", str(folder)], check=True)

    return made_once("prepared", make)


@pytest.fixture
def other_python() -> str:
    """Another Python of this machine that can make an environment, or skip."""
    from abq_data_entry.launcher.interpreters import find_other

    found = find_other(tk=False)
    if found is None:
        pytest.skip(f"this machine has no other Python than {sys.executable}")
    return found.path
