"""The rules of the house, one function each: a source goes in, what is wrong with it comes out, as ``line: words``.

Sizes are in ``test_sizes``; rules about files that are not Python in ``test_tracked_files``.
"""

import ast
import re
from collections.abc import Callable, Iterator

from tests.house.sources import Source

Rule = Callable[[Source], Iterator[str]]

_SQL = re.compile(
    r"\b(SELECT\s[^;]*\sFROM\s|INSERT\s+(OR\s+\w+\s+)?INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|"
    r"(CREATE|DROP|ALTER)\s+(UNIQUE\s+)?(TABLE|INDEX)\s)"
    r"|^\s*(select\s[^;]*\sfrom\s|insert\s+into\s|update\s+\w+\s+set\s|delete\s+from\s+\w+(\s+where\s|\s*$))"
)
_CHANCE = {"random", "secrets", "uuid"}
_AMBIENT = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "os": {"urandom"},
}
_FORBIDDEN_WORDS = {"handler", "handlers", "manager", "helper", "helpers", "util", "utils", "base", "mixin"}
_PURE = {
    *("__future__", "abc", "base64", "binascii", "bisect", "collections", "contextlib", "copy", "dataclasses", "enum"),
    *("fnmatch", "functools", "hashlib", "heapq", "hmac", "ipaddress", "itertools", "json", "math", "operator", "re"),
    *("string", "struct", "types", "typing", "unicodedata", "urllib", "weakref"),
    *("canonicaljson", "msgspec", "nacl", "orjson", "signedjson", "unpaddedbase64"),
}
_PURE_BREAKERS = (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)
_REACTOR_OWNER = "workers/cli/serving.py"


def no_sql_outside_its_places(source: Source) -> Iterator[str]:
    """SQL stands in files named sql.py, folders named sql, and toolkit/db."""
    parts = source.path.split("/")
    if not source.is_product or parts[-1] == "sql.py" or "sql" in parts[:-1] or "toolkit/db/" in source.path:
        return
    docstrings = set(map(id, _docstrings(source)))
    for node in source.nodes:
        if isinstance(node, ast.Constant) and id(node) not in docstrings and _SQL.search(str(node.value)):
            yield f"{node.lineno}: SQL outside sql.py"


def no_ambient_time_or_chance(source: Source) -> Iterator[str]:
    """The clock and randomness are passed in; only the toolkit makes them."""
    if not source.is_product or source.path.startswith("synapse_like/toolkit/"):
        return
    for line, module, name in _imports(source):
        if module.split(".")[0] in _CHANCE or name in _AMBIENT.get(module, ()):
            yield f"{line}: {module} outside the toolkit"
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and node.attr in _AMBIENT.get(_last_name(node.value), ()):
            yield f"{node.lineno}: {ast.unparse(node)} outside the toolkit"


def no_forbidden_names(source: Source) -> Iterator[str]:
    """Classes and modules are named for what they are."""
    if not source.is_product:
        return
    for part in source.path.removesuffix(".py").split("/"):
        if _FORBIDDEN_WORDS & set(part.split("_")):
            yield f"1: the name {part}"
    for node in source.nodes:
        if isinstance(node, ast.ClassDef):
            words = {word.lower() for word in re.findall(r"[A-Z][a-z]*|[a-z]+", node.name)}
            if _FORBIDDEN_WORDS & words:
                yield f"{node.lineno}: the name {node.name}"


def no_hidden_imports(source: Source) -> Iterator[str]:
    """No TYPE_CHECKING, no import inside a function."""
    for node in source.nodes:
        if isinstance(node, ast.Name | ast.Attribute) and _last_name(node) == "TYPE_CHECKING":
            yield f"{node.lineno}: TYPE_CHECKING hides a cycle"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Import | ast.ImportFrom) and "noqa: PLC0415" not in _line(source, inner):
                    yield f"{inner.lineno}: an import inside a function"


def no_twisted_web_above_http(source: Source) -> Iterator[str]:
    """Only toolkit/http may know another HTTP server."""
    if source.is_product and not source.path.startswith("synapse_like/toolkit/http/"):
        for line, module, _name in _imports(source):
            if module.startswith("twisted.web"):
                yield f"{line}: {module}"


def no_global_reactor(source: Source) -> Iterator[str]:
    """The reactor is passed in; the process's start is what imports it."""
    if source.is_product and source.path != _REACTOR_OWNER:
        for line, module, name in _imports(source):
            if (module, name) == ("twisted.internet", "reactor") or module == "twisted.internet.reactor":
                yield f"{line}: the global reactor"


def the_protocol_is_pure(source: Source) -> Iterator[str]:
    """Nothing in synapse_like/matrix waits, reads, logs, or imports anything that does."""
    if not source.path.startswith("synapse_like/matrix/"):
        return
    for line, module, name in _imports(source):
        is_own = module == "synapse_like.matrix" or module.startswith("synapse_like.matrix.")
        if not is_own and module.split(".")[0] not in _PURE and (module, name) != ("sys", "intern"):
            yield f"{line}: {module} is not pure"
    for node in source.nodes:
        if isinstance(node, _PURE_BREAKERS):
            yield f"{node.lineno}: something asynchronous"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("open", "print", "input")
        ):
            yield f"{node.lineno}: {node.func.id}()"


def every_module_says_what_it_is(source: Source) -> Iterator[str]:
    """A module begins with a docstring."""
    if len(ast.get_docstring(source.tree) or "") < 20:
        yield "1: no docstring"


def nothing_is_left_open(source: Source) -> Iterator[str]:
    """No marks for later, and nothing that only raises NotImplementedError."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if re.search(r"#.*\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", line):
            yield f"{number}: something is left open"
    for node in source.nodes:
        if isinstance(node, ast.Name) and node.id == "NotImplementedError":
            yield f"{node.lineno}: NotImplementedError"


def features_use_front_doors(source: Source) -> Iterator[str]:
    """A feature imports other features by their front door only."""
    own = re.match(r"synapse_like/features/(\w+)", source.path)
    if own is None:
        return
    for line, module, _name in _imports(source):
        other = re.match(r"synapse_like\.features\.(\w+)\.", module)
        if other and other[1] != own[1]:
            yield f"{line}: {module} is the inside of another feature"


RULES: tuple[Rule, ...] = (
    no_sql_outside_its_places,
    no_ambient_time_or_chance,
    no_forbidden_names,
    no_hidden_imports,
    no_twisted_web_above_http,
    no_global_reactor,
    the_protocol_is_pure,
    every_module_says_what_it_is,
    nothing_is_left_open,
    features_use_front_doors,
)


def _imports(source: Source) -> Iterator[tuple[int, str, str]]:
    """Yield (line, module, name) of every import; ``import a`` has no name. Relative imports are made absolute."""
    for node in source.nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            package = source.module.split(".")
            if not source.path.endswith("__init__.py"):
                package = package[:-1]
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, module, alias.name


def _docstrings(source: Source) -> Iterator[ast.Constant]:
    for node in source.nodes:
        body = getattr(node, "body", None)
        if isinstance(body, list):
            for statement in body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    yield statement.value


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _line(source: Source, node: ast.stmt) -> str:
    return source.text.splitlines()[node.lineno - 1]
