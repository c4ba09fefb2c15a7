"""Rooms are small: files, functions and argument lists; exceptions stand in sizes.toml with their reason."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.sources import Source, python_sources

SIZES = tomllib.loads(Path(__file__).with_name("sizes.toml").read_text())
LIMITS = SIZES["limits"]


def file_lengths(source: Source) -> Iterator[tuple[str, int, int]]:
    """Yield (name, lines, limit)."""
    limit = LIMITS["file"] if source.is_product else LIMITS["test_file"]
    yield source.path, len(source.text.splitlines()), limit


def function_lengths(source: Source) -> Iterator[tuple[str, int, int]]:
    """Yield (name, lines, limit) of every function that is not exempt."""
    if not source.path.startswith(tuple(SIZES["long_functions"])):
        for name, function in _functions(source.tree, ""):
            yield f"{source.path}:{name}", (function.end_lineno or 0) - function.lineno + 1, LIMITS["function"]


def argument_counts(source: Source) -> Iterator[tuple[str, int, int]]:
    """Yield (name, arguments without self, limit) of every function."""
    for name, function in _functions(source.tree, ""):
        declared = function.args
        names = [each.arg for each in (*declared.posonlyargs, *declared.args, *declared.kwonlyargs)]
        count = len([each for each in names if each not in ("self", "cls")])
        if source.is_product:
            yield f"{source.path}:{name}", count, LIMITS["arguments"]


MEASURES = {
    "files": (file_lengths, "lines"),
    "functions": (function_lengths, "lines"),
    "arguments": (argument_counts, "count"),
}


@pytest.mark.parametrize("kind", MEASURES)
def test_nothing_is_too_large(kind):
    measure, unit = MEASURES[kind]
    exceptions = SIZES.get(kind, {})
    wrong, needed = [], set()
    for source in python_sources():
        for name, size, limit in measure(source):
            if size > limit:
                needed.add(name)
                if size > exceptions.get(name, {}).get(unit, limit):
                    wrong.append(f"{name}: {size} {unit}, the limit is {limit}")
    assert not wrong, "\n" + "\n".join(wrong)
    assert set(exceptions) <= needed, f"not needed any more: {set(exceptions) - needed}"
    assert all(len(each["reason"]) > 10 for each in exceptions.values())


def test_the_measures_see_methods_and_nested_functions():
    source = Source("workers/a.py", "class A:\n    def b(self, c, *, d):\n        def e(): ...\n        return e\n")
    assert list(argument_counts(source)) == [("workers/a.py:A.b", 2, 8), ("workers/a.py:A.b.e", 0, 8)]
    assert list(function_lengths(source)) == [("workers/a.py:A.b", 3, 60), ("workers/a.py:A.b.e", 1, 60)]
    assert list(file_lengths(source)) == [("workers/a.py", 4, 500)]


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, child
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")
        else:
            yield from _functions(child, prefix)
