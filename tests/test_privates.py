"""Tests use what everybody may use: what they take of private names may only become less."""

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parent
MOST = 79
"""How many accesses are left. Whoever makes it fewer lowers it; nobody raises it."""
_PUBLIC = {"_replace", "_asdict", "_fields", "_exit"}  # of `namedtuple` and `os`, whose documents name them
_OWN = {"self", "cls", "super()"}


def private_accesses(path: Path) -> list[str]:
    """Where a test reaches for a name that begins with one underscore, of another object than its own."""
    return [
        f"{path.relative_to(TESTS)}:{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in _PUBLIC
        and ast.unparse(node.value) not in _OWN
    ]


def test_private_names_are_used_less_and_less() -> None:
    found = [each for path in sorted(TESTS.rglob("*.py")) for each in private_accesses(path)]
    assert len(found) <= MOST, "\n".join(found)
