"""The files that the rules of the house are about. The rules are in ``rules``."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("synapse_like/", "workers/", "replication/")


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root of the repository, with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text, self.path)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Everything in the file."""
        return list(ast.walk(self.tree))

    @property
    def is_product(self) -> bool:
        """Whether the file is part of what is installed."""
        return self.path.startswith(PRODUCT)

    @property
    def module(self) -> str:
        """The dotted name."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def tracked_files() -> tuple[str, ...]:
    """Return the paths of all files that git tracks, or would track; without git, of all files."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if ".venv" not in path.parts]
    return tuple(sorted(name for name in listed if name and (ROOT / name).is_file()))


@cache
def python_sources() -> tuple[Source, ...]:
    """Return all Python files."""
    return tuple(Source(name, (ROOT / name).read_text("utf-8")) for name in tracked_files() if name.endswith(".py"))
