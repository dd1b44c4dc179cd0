"""The exact line for each package manager, and who may run it."""

import os
import shutil
import sys

import pytest

from abq_data_entry.launcher import EnvironmentProblem, system_packages
from abq_data_entry.launcher.system_packages import line, manager_for

EVERYTHING = ["tkinter", "venv", "Xvfb", "openbox", "xdotool", "psql"]
DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'
MINT = 'NAME="Linux Mint"\nID=linuxmint\nID_LIKE="ubuntu debian"\n'
FEDORA = "NAME='Fedora Linux'\nID=fedora\n"
ROCKY = 'ID="rocky"\nID_LIKE="rhel centos fedora"\n'
ARCH = "NAME=Arch Linux\nID=arch\n"
MANJARO = "ID=manjaro\nID_LIKE=arch\n"
APT = "apt-get update && apt-get install --yes --no-install-recommends"
FONTS = "fonts-dejavu-core"
TK = f"python3-tk {FONTS}"


@pytest.mark.parametrize(
    ("platform", "os_release", "missing", "expected"),
    [
        ("linux", DEBIAN, EVERYTHING, f"{APT} {TK} python3-venv xvfb openbox xdotool postgresql-client"),
        ("linux", DEBIAN, ["tkinter"], f"{APT} {TK}"),
        ("linux", MINT, ["venv", "xdotool"], f"{APT} python3-venv xdotool"),
        ("linux", FEDORA, ["tkinter", "Xvfb", "openbox", "xdotool", "psql"],
         "dnf install --assumeyes python3-tkinter xorg-x11-server-Xvfb openbox xdotool postgresql"),
        ("linux", ROCKY, ["tkinter"], "dnf install --assumeyes python3-tkinter"),
        ("linux", ARCH, ["tkinter", "Xvfb", "openbox", "xdotool", "psql"],
         "pacman -S --needed --noconfirm tk xorg-server-xvfb openbox xdotool postgresql-libs"),
        ("linux", MANJARO, ["tkinter"], "pacman -S --needed --noconfirm tk"),
        ("darwin", "", ["tkinter"], "brew install python-tk@3.12"),
        ("darwin", "", ["Xvfb"], ""),
    ],
)  # fmt: skip
def test_each_system_gets_its_exact_line(platform: str, os_release: str, missing: list[str], expected: str) -> None:
    manager = manager_for(platform, os_release)
    assert manager is not None
    assert line(manager.commands(missing, "3.12")) == expected


def test_a_second_python_of_debians_kind_gets_the_packages_of_its_version() -> None:
    manager = manager_for("linux", DEBIAN, distributions_python=False)
    assert manager is not None
    assert line(manager.commands(["tkinter", "venv"], "3.13")) == f"{APT} python3.13-tk {FONTS} python3.13-venv"


@pytest.mark.parametrize(("platform", "os_release"), [("linux", "ID=alpine\n"), ("linux", ""), ("win32", "")])
def test_an_unknown_system_has_no_manager(platform: str, os_release: str) -> None:
    assert manager_for(platform, os_release) is None


@pytest.fixture
def unprivileged_debian(monkeypatch: pytest.MonkeyPatch) -> list[system_packages.Commands]:
    """A stand-in for the machine: Debian, with sudo, seen by an ordinary user; returns what was run."""
    ran: list[system_packages.Commands] = []
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(system_packages, "_this_manager", lambda: system_packages.DEBIAN)
    monkeypatch.setattr(system_packages, "_run", ran.append)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return ran


class _Terminal:
    def __init__(self, interactive: bool) -> None:
        self.isatty = lambda: interactive


def test_sudo_runs_only_after_a_yes(
    unprivileged_debian: list[system_packages.Commands], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal(True))
    questions: list[str] = []

    def answer_nothing(text: str) -> str:
        questions.append(text)
        return ""

    with pytest.raises(EnvironmentProblem, match="sudo apt-get install --yes --no-install-recommends python3-tk"):
        system_packages.provide(["tkinter"], ask=answer_nothing)
    assert not unprivileged_debian
    assert "sudo apt-get install" in questions[0]

    system_packages.provide(["tkinter"], ask=lambda text: "y")
    assert [command[0] for commands in unprivileged_debian for command in commands] == ["sudo", "sudo"]


def test_nobody_is_asked_where_nobody_sits(
    unprivileged_debian: list[system_packages.Commands], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal(False))

    def never(text: str) -> str:
        raise AssertionError("asked without a terminal")

    with pytest.raises(EnvironmentProblem) as refused:
        system_packages.provide(["tkinter", "venv", "Xvfb"], ask=never)
    assert "lacks tkinter, venv and Xvfb" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_sudo_the_line_is_for_root(
    unprivileged_debian: list[system_packages.Commands], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", _Terminal(True))
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "sudo" else f"/usr/bin/{name}")
    with pytest.raises(EnvironmentProblem, match=f"Run this as root, then start again: {APT} {TK}$"):
        system_packages.provide(["tkinter"])
    assert not unprivileged_debian


def test_root_isnt_asked(unprivileged_debian: list[system_packages.Commands], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    system_packages.provide(["openbox"])
    (commands,) = unprivileged_debian
    assert line(commands) == f"{APT} openbox"
