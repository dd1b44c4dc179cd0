"""How many of 30 broken lines the tests notice: each breaks one line at random, and the nearest tests run.

Lines of the packages that keep records: fields, models, journal and outbox. What changes is small and could have been
typed: a comparison turned round or off by one, `and` for `or`, a number one too large, a limit of nought, a statement
left out, nothing returned. Left alone is what changes nothing: texts, types, lines for the log. All happens in a copy
of the checkout. What survives is printed: either a hole in the tests, or a line that does nothing.

A test that fails counts only if it passes with the line as it was: on a busy machine a test may be late by itself.
"""

from __future__ import annotations

import ast
import copy
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from queue import Queue

from benchmarks import table
from benchmarks.options import CHECKOUT, Options

PACKAGES = ("fields", "models", "journal", "outbox")
FEWEST = 28  # of 30
_ALSO = ("commands", "diagnostics", "exporting", "qa", "workflows")  # tests that go through these packages, too
_LONG = ("test_benchmarks.py", "test_demo.py", "test_documents.py")
_COPIED = ("abq_data_entry", "tests", "benchmarks", "docs", ".ci")
_SECONDS = 1200.0  # for the nearest tests, each of which has its own limit of minutes; a broken line may wait for ever
_NEAREST = 8  # files of tests
_BY_NAME = 10.0  # as near as one that names ten things that no other does
_FEW = 6  # files of tests that name a function: they are about it
_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_OFF_BY_ONE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
}  # fmt: skip
_CHOSEN = 10  # a number with a name from here on is a size, a time or a limit that somebody chose
# For these nothing at all would often mean the same.
_RETURNED_INSTEAD = {"False": "return True", "True": "return False", "''": "return 'something else'"}

_FAILED = re.compile(r"^(?:FAILED|ERROR) (?P<test>tests/\S+?\.py::[^\s\[]+(?:\[.*?\])?)(?= - |$)", re.MULTILINE)


@dataclass(frozen=True)
class Mutation:
    """One line that is broken: what stood at this place of the file, and what stands there instead."""

    path: str
    line: int
    begin: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {' '.join(self.before.split())} → {' '.join(self.after.split())}"

    def applied(self, source: str) -> str:
        """The source with the line broken."""
        return source[: self.begin] + self.after + source[self.end :]


def measure(options: Options) -> list[table.Row]:
    """Break lines and run the nearest tests; a limit on how many aren't noticed."""
    chosen = choose(options.mutations, options.seed)
    with tempfile.TemporaryDirectory(prefix="abq-mutations-") as folder:
        places = Queue[Path]()
        for number in range(os.cpu_count() or 1):
            places.put(_copy(Path(folder, str(number))))
        with ThreadPoolExecutor(places.qsize()) as pool:
            noticed = list(pool.map(partial(_is_noticed_at, places), chosen))
    survivors = [each for each, is_noticed in zip(chosen, noticed, strict=True) if not is_noticed]
    for each in survivors:
        print(f"Not noticed: {each}", file=sys.stderr)
    may_survive = len(chosen) - round(len(chosen) * FEWEST / 30)
    told = f"noticed {len(chosen) - len(survivors)} of {len(chosen)}, seed {options.seed}"
    return [table.row("Broken lines that no test notices", "lines", [float(len(survivors))], float(may_survive), told)]


def choose(number: int, seed: int) -> list[Mutation]:
    """So many lines at random, the same for the same seed and the same sources, with one change for each."""
    by_line: dict[tuple[str, int], list[Mutation]] = {}
    for package in PACKAGES:
        for path in sorted((CHECKOUT / "abq_data_entry" / package).rglob("*.py")):
            for each in mutations(path.relative_to(CHECKOUT).as_posix(), path.read_text("utf-8")):
                by_line.setdefault((each.path, each.line), []).append(each)
    chance = random.Random(seed)
    lines = chance.sample(sorted(by_line), min(number, len(by_line)))
    return [chance.choice(by_line[line]) for line in lines]


def mutations(path: str, source: str) -> Iterator[Mutation]:
    """All changes that are tried in this file."""
    begins = [0]
    for line in source.splitlines(keepends=True):
        begins.append(begins[-1] + len(line))
    rows = source.splitlines()

    def place(line: int, octets: int) -> int:  # `ast` counts the bytes of UTF-8
        return begins[line - 1] + len(rows[line - 1].encode()[:octets].decode())

    for node, broken in _broken(ast.parse(source)):
        assert node.end_lineno is not None and node.end_col_offset is not None
        begin, end = place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)
        yield Mutation(path, node.lineno, begin, end, source[begin:end], broken)


def _broken(tree: ast.AST) -> Iterator[tuple[ast.expr | ast.stmt, str]]:
    chosen = _chosen_numbers(tree)
    for node in _of_interest(tree):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            turned = copy.copy(node)
            turned.ops = [_turned(node)()]
            yield node, f"({ast.unparse(turned)})"
        elif isinstance(node, ast.BoolOp):
            swapped = copy.copy(node)
            swapped.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
            yield node, f"({ast.unparse(swapped)})"
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield node, f"({ast.unparse(node.operand)})"
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            yield node, "0" if node in chosen else str(node.value + 1)
        elif isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
            yield node, _RETURNED_INSTEAD.get(ast.unparse(node.value), "return None")
        elif isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise)) and not (_is_text(node) or _is_for_the_log(node)):
            yield node, "pass"


def _turned(node: ast.Compare) -> type[ast.cmpop]:
    """Off by one where something is counted; what is measured, such as a time, hardly ever meets its limit exactly."""
    operator = type(node.ops[0])
    counted = any(
        (isinstance(each, ast.Constant) and type(each.value) is int)
        or (isinstance(each, ast.Call) and ast.unparse(each.func) == "len")
        for side in (node.left, *node.comparators) for each in ast.walk(side)
    )  # fmt: skip
    return _OFF_BY_ONE.get(operator, _TURNED[operator]) if counted else _TURNED[operator]


def _chosen_numbers(tree: ast.AST) -> set[ast.AST]:
    """The numbers that have a name, of a module or of a parameter: one more breaks nothing, none at all does.

    So it is with each factor of a size, such as 8 * 1024 * 1024.
    """
    named = [each.value for each in ast.iter_child_nodes(tree) if isinstance(each, (ast.Assign, ast.AnnAssign))]
    for each in ast.walk(tree):
        named += [*each.defaults, *each.kw_defaults] if isinstance(each, ast.arguments) else []
    numbers = [number for each in named if each is not None for number in ast.walk(each)]
    products = [each for each in numbers if isinstance(each, ast.BinOp) and isinstance(each.op, ast.Mult)]
    factors = {each for product in products for each in ast.walk(product)}
    return {
        each for each in numbers if isinstance(each, ast.Constant) and (_is_chosen(each.value) or each in factors)
    }


def _is_chosen(value: object) -> bool:
    return type(value) is int and value >= _CHOSEN


def _of_interest(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those of types, of what only mypy reads, and within f-strings (whose places Python 3.11 lacks)."""
    if _is_for_the_log(tree):
        return
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, (ast.JoinedStr, ast.arg)) or _is_for_types(child) or _is_of_a_query(child):
            continue
        yield child
        if isinstance(child, ast.AnnAssign):
            if child.value is not None:
                yield from [child.value, *_of_interest(child.value)]
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for part in [*child.args.defaults, *child.decorator_list, *child.body]:
                yield from [part, *_of_interest(part)]
        else:
            yield from _of_interest(child)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _is_of_a_query(node: ast.AST) -> bool:
    """What stands behind `fetchone() or` is for the type alone, where a query always has a row."""
    return isinstance(node, ast.BoolOp) and ast.unparse(node.values[0]).endswith(".fetchone()")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, (ast.Constant, ast.Yield, ast.YieldFrom))


def _is_for_the_log(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node).startswith("log.")


def nearest(path: str, line: int = 0) -> list[str]:
    """The files of tests that know most of a line: by the name of its function, where few know that, or else by the
    module's name and by what they name of it and others don't."""
    package, stem = Path(path).parts[1], Path(path).stem
    own = _known_by(package, stem)
    tests = CHECKOUT / "tests"
    places = [file for each in (package, *_ALSO) for file in (tests / each).rglob("test_*.py")]
    places += [file for file in tests.glob("test_*.py") if file.name not in _LONG]
    places += [file for file in tests.rglob(f"test_{stem}.py") if file not in places]
    words = {file: _words(file) for file in places}
    named = {file: {name: words[file][name] for name in own & words[file].keys()} for file in places}
    rarity = {name: 1 / sum(name in each for each in named.values()) for name in set().union(*named.values())}

    function = _function_at(path, line)
    is_known_to_few = 0 < sum(function in each for each in words.values()) <= _FEW

    def nearness(file: Path) -> tuple[bool, float, str]:
        known = sum(rarity[name] * math.log2(1 + times) for name, times in named[file].items())
        known += _BY_NAME * (file.stem == f"test_{stem}")
        is_about_it = is_known_to_few and function in words[file]
        return is_about_it, known * (2 if file.parent.name == package else 1), file.as_posix()

    found = sorted((each for each in places if any(nearness(each)[:2])), key=nearness, reverse=True)
    chosen = [each.relative_to(CHECKOUT).as_posix() for each in found[:_NEAREST]]
    return sorted(chosen, key=lambda each: "window" in each)  # those take longest


@cache
def _words(file: Path) -> Counter[str]:
    """How often a file of tests has each word; the checkout itself stays as it is, only copies are changed."""
    return Counter(re.findall(r"\w+", file.read_text("utf-8")))


def _function_at(path: str, line: int) -> str:
    """The public function or method that a line is part of; empty where it is in none."""
    tree = ast.parse((CHECKOUT / path).read_text("utf-8"))
    blocks = [tree.body, *(each.body for each in tree.body if isinstance(each, ast.ClassDef))]
    for each in (each for block in blocks for each in block if isinstance(each, ast.FunctionDef)):
        if each.lineno <= line <= (each.end_lineno or 0) and not each.name.startswith("_"):
            return each.name
    return ""


@cache
def _known_by(package: str, stem: str) -> set[str]:
    """The names of the module's functions and classes, and of the functions of its package that use it."""
    names = set[str]()
    for file in (CHECKOUT / "abq_data_entry" / package).rglob("*.py"):
        for each in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(each, (ast.FunctionDef, ast.ClassDef)) and (file.stem == stem or _uses(each, stem)):
                names.add(each.name.strip("_"))
    return names


def _uses(node: ast.AST, module: str) -> bool:
    return isinstance(node, ast.FunctionDef) and any(
        isinstance(each, ast.Attribute) and isinstance(each.value, ast.Name) and each.value.id == module
        for each in ast.walk(node)
    )


def _copy(folder: Path) -> Path:
    """A copy of what the tests need, whose lines may be broken."""
    folder.mkdir(mode=0o755)
    for name in _COPIED:
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in CHECKOUT.iterdir():
        if file.is_file() and file.name != ".git":
            shutil.copy2(file, folder)
    return folder


def _is_noticed_at(places: Queue[Path], mutation: Mutation) -> bool:
    """Break the line in the next copy that is free."""
    folder = places.get()
    try:
        return _is_noticed(folder, mutation)
    finally:
        places.put(folder)


def _is_noticed(folder: Path, mutation: Mutation) -> bool:
    file = folder / mutation.path
    whole = file.read_text("utf-8")
    tests = nearest(mutation.path, mutation.line)
    how, unsteady = "", list[str]()
    while True:
        file.write_text(mutation.applied(whole), "utf-8")
        try:
            how = _fails(folder, [*tests, *(f"--deselect={each}" for each in unsteady)])
        finally:
            file.write_text(whole, "utf-8")
        failed = _FAILED.match(how)
        if failed is None or not _fails(folder, [failed["test"]]):
            break
        print(f"Fails without it, too: {failed['test']}", file=sys.stderr, flush=True)
        unsteady.append(failed["test"])
    print(f"{how or 'NOT noticed'}: {mutation}", file=sys.stderr, flush=True)
    return bool(how)


def _fails(folder: Path, tests: list[str]) -> str:
    """How the tests notice it: by one that fails, or that they can't be read or don't end; empty where they pass."""
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            process.terminate()
            return f"no end within {_SECONDS:.0f} s"
    failed = _FAILED.search(said)
    return "" if process.returncode == 0 else failed.group() if failed else said.strip()[-200:]
