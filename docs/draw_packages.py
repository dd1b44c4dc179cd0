"""Draw the packages into architecture.md, from what they import: each imports only from lines below its own.

Run from the checkout: PYTHONPATH=. .venv/bin/python docs/draw_packages.py
"""

from __future__ import annotations

import re
import textwrap
from itertools import zip_longest
from pathlib import Path

from tests.test_imports import WITHOUT_TK, modules, packages_of

DOCUMENT = Path(__file__).resolve().parent / "architecture.md"
LEFT, RIGHT = 20, 72
_PICTURE = re.compile(r"(?<=### The picture\n)(.*?```text\n).*?(?=```)", re.DOTALL)


def imports() -> dict[str, set[str]]:
    """Which packages and modules of the first level each of them imports."""
    found: dict[str, set[str]] = {}
    for package, name, path in modules():
        found.setdefault(package, set()).update(packages_of(name, path) - {package})
    below = {each: {other for other in others if other in found} for each, others in found.items()}
    below.pop("__init__", None)
    below.get("launcher", set()).discard("__main__")  # starts it, when all is set up
    return {each: others - {"__init__", "__main__"} for each, others in below.items() if each != "__main__"}


def layers(below: dict[str, set[str]]) -> list[list[str]]:
    """The packages by how far they are from those that import none; the highest first."""
    level: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in level:
            level[name] = 1 + max((height(each) for each in below[name]), default=0)
        return level[name]

    top = max(map(height, below))
    return [sorted(each for each in below if level[each] == number) for number in range(top, 0, -1)]


def drawing() -> str:
    """The picture: a row for each layer, what draws windows at the left, all else at the right."""
    rows = [(["with Tk"], ["without Tk"])]
    for names in layers(imports()):
        right = [each for each in names if each in WITHOUT_TK or each in ("demo", "commands")]
        left = [each for each in names if each not in right]
        rows.append((textwrap.wrap("   ".join(left), LEFT), textwrap.wrap("   ".join(right), RIGHT)))
    edge = f"+{'-' * (LEFT + 2)}+{'-' * (RIGHT + 2)}+\n"
    lines = [edge]
    for cells in rows:
        lines += [f"| {left:<{LEFT}} | {right:<{RIGHT}} |\n" for left, right in zip_longest(*cells, fillvalue="")]
        lines.append(edge)
    return "".join(lines)


def main() -> None:
    """Put the picture into the document."""
    text, count = _PICTURE.subn(lambda found: found[1] + drawing(), DOCUMENT.read_text("utf-8"))
    assert count == 1, "architecture.md has no place for the picture"
    DOCUMENT.write_text(text, "utf-8")


if __name__ == "__main__":
    print(drawing())
    main()
