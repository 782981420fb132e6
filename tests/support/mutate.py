"""Mutation testing: small errors put into a copy of the code, and which of them the tests find.

    pytest --cov --cov-context=test --cov-report= && coverage combine
    python tests/support/mutate.py --coverage .coverage --tests tests/unit --log mutations.jsonl

Every mutation changes one expression: a comparison, an operator, a number, a condition, min and
max, or what a function returns. The seed decides the choice, which spreads over the rooms by their
size. First come the tests that execute the mutated line (by the contexts of the coverage data;
those that execute little first), then the other tests of its room, until one fails. A test that
also fails on the unchanged code does not count. An existing log is resumed.
"""

import argparse
import ast
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

SECONDS = 120.0  # for a test, and for all tests of one mutation
TESTS = 60  # of those that execute a line, at most
COSMETIC = {"plots.py", "figures.py", "pictures.py", "draw.py", "face_map.py", "cli.py"}
FORMATTING = {"indent", "width", "frozen", "ensure_ascii", "soft_wrap", "highlight", "markup",
              "help"}  # fmt: skip
RESULTS = "MUTATE_RESULTS"  # the file in which pytest reports to us

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.Pow: ast.Mult,
}  # fmt: skip
# Texts, lists and paths have + and / as well; another operator there is found by the first run.
NO_NUMBERS = re.compile(r"^\[|\+ \[|['\"]|path|folder|root|place|name|parent|shard|Path", re.I)
OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any", "argmin": "argmax",
             "argmax": "argmin", "minimum": "maximum", "maximum": "minimum"}  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """One changed expression: of a room ("shared": none), in a file below the root."""

    room: str
    path: str
    line: int  # from 1
    start: int  # of the expression, in bytes
    end: int
    old: str
    new: str


def changes(node: ast.AST) -> Iterator[ast.expr]:
    """What may stand in place of an expression."""
    match node:
        case ast.Compare(left, [op, *ops], comparators) if type(op) in COMPARISONS:
            yield ast.Compare(left, [COMPARISONS[type(op)](), *ops], comparators)
        case ast.BinOp(left, op, right) if type(op) in OPERATORS and not NO_NUMBERS.search(
            ast.unparse(node)
        ):
            yield ast.BinOp(left, OPERATORS[type(op)](), right)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Name(id, ast.Load()) if id in OPPOSITES:
            yield ast.Name(OPPOSITES[id])
        case ast.Attribute(value, attr, ast.Load()) if attr in OPPOSITES:
            yield ast.Attribute(value, OPPOSITES[attr])
        case ast.If(test) | ast.IfExp(test) | ast.While(test):
            if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):  # they have their own
                yield ast.UnaryOp(ast.Not(), test)


def mutable(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that may be changed: no annotations, messages of errors, prints or decorators."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "type_params", "bases"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            match child:
                case ast.Raise() | ast.JoinedStr() | ast.Assert() | ast.Import() | ast.ImportFrom():
                    continue
                case ast.keyword(arg) if arg in FORMATTING:
                    continue
                case ast.Call(ast.Name("print") | ast.Attribute(attr="print")):
                    continue
                case ast.If(ast.Name("TYPE_CHECKING") | ast.Compare(ast.Name("__name__"))):
                    continue
                case ast.AST():
                    yield from mutable(child)


def mutations(root: Path, path: Path) -> list[Mutation]:
    """All mutations of a file."""
    source = path.read_bytes()
    starts = [0, *accumulate(map(len, source.splitlines(keepends=True)))]
    inner = path.relative_to(root / "src/facewave").parts
    room = inner[0] if len(inner) > 1 else "shared"
    found = []
    for node in mutable(ast.parse(source)):
        replaced = [(node, new) for new in changes(node)]
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            replaced = [(node.test, new) for _, new in replaced]
        elif isinstance(node, ast.Return) and node.value and ast.unparse(node.value) != "None":
            # Returns are many, and most are found by any test: every fourth is enough.
            replaced = [(node.value, ast.Constant(None))] if node.lineno % 4 == 0 else []
        for old, new in replaced:
            assert isinstance(old, ast.expr)
            assert old.end_lineno
            assert old.end_col_offset
            start = starts[old.lineno - 1] + old.col_offset
            end = starts[old.end_lineno - 1] + old.end_col_offset
            text = f"({ast.unparse(ast.fix_missing_locations(new))})"
            found.append(
                Mutation(
                    room,
                    str(path.relative_to(root)),
                    old.lineno,
                    start,
                    end,
                    ast.unparse(old),
                    text,
                )
            )
    return found


def choose(root: Path, count: int, seed: int) -> list[Mutation]:
    """Mutations of all rooms, by the rooms' size: two or more of each, one a line."""
    lines: dict[str, dict[tuple[str, int], list[Mutation]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted((root / "src/facewave").rglob("*.py")):
        if path.name not in COSMETIC:
            for mutation in mutations(root, path):
                lines[mutation.room][mutation.path, mutation.line].append(mutation)
    whole = sum(map(len, lines.values()))
    share = {room: max(2.0, count * len(places) / whole) for room, places in lines.items()}
    chosen: list[Mutation] = []
    taken, scale = 0.0, count / sum(share.values())
    for room, places in sorted(lines.items()):
        taken += share[room] * scale
        rng = random.Random(f"{seed} {room}")
        for place in rng.sample(sorted(places), min(len(places), round(taken) - len(chosen))):
            chosen.append(rng.choice(places[place]))
    return chosen


@cache
def covering(data: Path | None) -> dict[tuple[str, int], list[str]]:
    """The tests that execute a line, by file below the root and line; those of few lines first."""
    if data is None:
        return {}
    with sqlite3.connect(data) as connection:
        names = dict(connection.execute("select id, context from context"))
        paths = dict(connection.execute("select id, path from file"))
        executed: dict[tuple[str, int], set[str]] = defaultdict(set)
        for file, context, line in connection.execute(  # branch coverage keeps arcs, not lines
            "select distinct file_id, context_id, abs(tono) from arc union "
            "select distinct file_id, context_id, abs(fromno) from arc"
        ):
            executed[paths[file], line].add(names[context])
    found: dict[tuple[str, int], set[str]] = defaultdict(set)
    for (path, line), contexts in executed.items():
        if match := re.search(r"src/facewave/.*", path):
            found[match[0], line] |= {name.rpartition("|")[0] for name in contexts if "::" in name}
    length = Counter(test for tests in found.values() for test in tests)
    return {at: sorted(tests, key=lambda t: (length[t], t)) for at, tests in found.items()}


def of_room(root: Path, room: str, tests: list[str]) -> list[str]:
    """The files of tests in a room's folder, then those that import it."""
    files = [path for t in tests for path in sorted((root / t).rglob("test_*.py"))]
    if room == "shared":
        files = [path for path in files if path.parent in {root / t for t in tests}]
    else:
        naming = [path for path in files if f"facewave.{room}" in path.read_text("utf-8")]
        files = [*(path for path in files if room in path.parts), *naming]
    return [str(path.relative_to(root)) for path in dict.fromkeys(files)]


def pytest_runtest_protocol(item: pytest.Item) -> None:
    """As pytest's plugin: a test that takes too long fails."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"{SECONDS:.0f} s are over")

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    begun = item.session.stash.setdefault(BEGUN, time.monotonic())
    if time.monotonic() - begun > SECONDS:
        item.session.shouldstop = "the time for this mutation is over"


def pytest_runtest_logreport(report: pytest.TestReport | pytest.CollectReport) -> None:
    """As pytest's plugin: name the test that failed."""
    if report.failed and RESULTS in os.environ:
        Path(os.environ[RESULTS]).write_text(report.nodeid or "import")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """As pytest's plugin: code that cannot be imported is found as well."""
    pytest_runtest_logreport(report)


BEGUN = pytest.StashKey[float]()


class Tree:
    """A copy of the project in which mutations are made, one at a time."""

    def __init__(self, root: Path, python: str) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="mutate-")) / "facewave"
        self.python = python
        listed = subprocess.check_output(["git", "ls-files", "-z"], cwd=root, text=True)
        for name in filter(None, listed.split("\0")):
            if (root / name).is_file():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(root / name, self.root / name)
        for words in (["init", "-q"], ["add", "-A"]):
            subprocess.check_call(["git", *words], cwd=self.root)
        self.sound: dict[str, bool] = {}

    def failing(self, tests: list[str]) -> str:
        """The first of some tests that fails, "" if none does."""
        if not tests:
            return ""
        results = self.root.parent / "results"
        results.unlink(missing_ok=True)
        here = str(Path(__file__).parent)
        try:
            subprocess.run(
                [self.python, "-m", "pytest", "-x", "-q", "-p", "mutate", "-p", "no:randomly",
                 "-p", "no:cacheprovider", *tests],
                cwd=self.root,
                env=os.environ | {RESULTS: str(results), "PYTHONDONTWRITEBYTECODE": "1",
                                  "PYTHONPATH": f"{self.root / 'src'}{os.pathsep}{here}"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=3 * SECONDS,
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "a test that hangs"
        return results.read_text() if results.exists() else ""

    def killer(self, mutation: Mutation, tests: list[str]) -> str:
        """The first of some tests that fails because of a mutation alone."""
        path = self.root / mutation.path
        source = path.read_bytes()
        changed = source[: mutation.start] + mutation.new.encode() + source[mutation.end :]
        while True:
            path.write_bytes(changed)
            try:
                failed = self.failing([test for test in tests if self.sound.get(test, True)])
            finally:
                path.write_bytes(source)
            if not failed or "::" not in failed:
                return failed
            if failed not in self.sound:
                self.sound[failed] = not self.failing([failed])
            if self.sound[failed]:
                return failed
            tests = [test for test in tests if test != failed and "::" in test]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="a checkout")
    parser.add_argument("--python", default=sys.executable, help="with the checkout's packages")
    parser.add_argument("--tests", nargs="+", default=["tests"], help="folders or files")
    parser.add_argument("--coverage", type=Path, help="data of branch coverage with contexts")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("mutations.jsonl"))
    chosen = parser.parse_args()
    root = chosen.root.resolve()
    known = chosen.log.read_text("utf-8").splitlines() if chosen.log.exists() else []
    done = {json.dumps(row["mutation"]): row for row in map(json.loads, known)}
    lines = covering(chosen.coverage)
    tree = Tree(root, chosen.python)
    rows = []
    for mutation in choose(root, chosen.count, chosen.seed):
        row = done.get(json.dumps(asdict(mutation)))
        if row is None:
            begun = time.monotonic()
            tests = [test for test in lines.get((mutation.path, mutation.line), [])
                     if test.startswith(tuple(chosen.tests))]  # fmt: skip
            by = tree.killer(mutation, tests[:TESTS])
            by = by or tree.killer(mutation, of_room(tree.root, mutation.room, chosen.tests))
            row = {"mutation": asdict(mutation), "covered": len(tests), "killed_by": by,
                   "seconds": round(time.monotonic() - begun)}  # fmt: skip
            with chosen.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{mutation.path}:{mutation.line}: {mutation.old} -> {mutation.new}: "
                  f"{by or 'SURVIVES'} ({row['seconds']} s)", flush=True)  # fmt: skip
        rows.append(row)
    shutil.rmtree(tree.root.parent)
    for room in [*sorted({row["mutation"]["room"] for row in rows}), ""]:
        some = [row for row in rows if room in ("", row["mutation"]["room"])]
        print(f"{room or 'all':12} {sum(bool(row['killed_by']) for row in some)} of {len(some)}")


if __name__ == "__main__":
    main()
