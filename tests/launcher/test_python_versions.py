"""One range of Pythons, said alike by the launcher, the package, the documents and the locks."""

from __future__ import annotations

import re
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from abq_data_entry.launcher.old_python import NEWEST, OLDEST
from abq_data_entry.launcher.virtualenv import DEVELOPMENT_LOCKS
from tests.launcher.conftest import ROOT

MINORS = range(OLDEST[1], NEWEST[1] + 1)
PLATFORMS = {
    "Linux": {"sys_platform": "linux", "os_name": "posix", "platform_machine": "x86_64", "platform_system": "Linux"},
    "macOS": {"sys_platform": "darwin", "os_name": "posix", "platform_machine": "arm64", "platform_system": "Darwin"},
    "Windows": {"sys_platform": "win32", "os_name": "nt", "platform_machine": "AMD64", "platform_system": "Windows"},
}


def test_the_package_says_the_same() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'requires-python = ">=3.{OLDEST[1]}"' in text
    assert re.findall(r"Programming Language :: Python :: 3\.(\d+)", text) == [str(minor) for minor in MINORS]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/developers.md", ".ci/lock"])
def test_the_documents_say_the_same(name: str) -> None:
    said = re.findall(r"(\d\.\d+) to (\d\.\d+)", (ROOT / name).read_text("utf-8"))
    assert ("3.%d" % OLDEST[1], "3.%d" % NEWEST[1]) in said  # noqa: UP031
    assert {first for first, last in said if first.startswith("3.")} == {f"3.{OLDEST[1]}"}
    assert {last for first, last in said if first.startswith("3.")} == {f"3.{NEWEST[1]}"}


@pytest.mark.parametrize(("minor", "platform"), list(product(MINORS, PLATFORMS)))
def test_each_lock_has_one_version_of_all_that_is_needed(minor: int, platform: str) -> None:
    variables = {
        **PLATFORMS[platform],
        "python_version": f"3.{minor}",
        "python_full_version": f"3.{minor}.2",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    for lock in DEVELOPMENT_LOCKS[1:]:
        locked = Counter(each.name for each in _locked(ROOT / lock) if _holds(each, variables))
        assert [name for name, count in locked.items() if count > 1] == []
        needed = {_plain(each.name) for each in _asked_for() if _holds(each, variables)}
        assert needed <= {_plain(name) for name in locked}


def _locked(lock: Path) -> list[Requirement]:
    lines = lock.read_text("utf-8").splitlines()
    return [Requirement(line.removesuffix("\\")) for line in lines if re.match(r"\w", line)]


def _asked_for() -> list[Requirement]:
    """What the package needs to run: the lists of pyproject.toml aren't read by a parser, which Python 3.10 lacks."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = text.partition("\ndependencies = [")[2].partition("\n]")[0]
    found = [Requirement(each) for each in re.findall(r'^ +"(.+?)",', listed, re.MULTILINE)]
    assert len(found) >= 10
    return found


def _holds(requirement: Requirement, variables: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(variables)


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
