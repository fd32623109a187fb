"""The house of docs/architecture.md, held by reading the imports: who may know whom, and where effects may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "provisioner"

WORDS = {"errors", "codes", "records", "secret", "address", "times"}
VENDORS = {"providers"}

# What each room may import beside itself. "providers.base" and the scan in providers/__init__ are how pure rooms
# reach the
# `Vendor` half; the `Provider` half is reached through `engine` and `commands` only.
MAY: dict[str, set[str]] = {
    "model": WORDS,
    "providers": WORDS | {"model", "net"},
    "config": WORDS | {"model"} | VENDORS,
    "planning": WORDS | {"model"} | VENDORS,
    "render": WORDS | {"model", "planning"},
    "net": WORDS,
    "journal": WORDS | {"model", "net"},  # stores/_http_wire.py alone
    "engine": WORDS | {"model", "providers", "config", "planning", "net", "journal"},
    "audit": WORDS | {"model", "journal"},
    "deliver": WORDS | {"model"},
    "sandbox": WORDS,
    "commands": WORDS
    | {"model", "providers", "config", "planning", "render", "net", "journal", "engine", "audit", "deliver", "sandbox"},
}

# Two seams that are imports by need, each said in the architecture: the in-process transport hands requests to the
# sandbox,
# and the engine's listeners speak of steps.
SEAMS = {("net", "sandbox"), ("render", "engine"), ("audit", "planning"), ("render", "audit")}

PURE = ("model", "planning", "render", "deliver")
HEAVY = {"pydantic", "httpx", "deepdiff", "cryptography", "pyrage", "sqlite3", "http.server", "asyncio", "unittest"}
# Reading the clock, chance, the environment and the disk is what a pure room cannot do.
BANNED_MODULES = {
    "random",
    "secrets",
    "socket",
    "subprocess",
    "httpx",
    "sqlite3",
    "tempfile",
    "shutil",
    "urllib.request",
}
BANNED_CALLS = {
    "datetime.now",
    "datetime.utcnow",
    "date.today",
    "time.time",
    "times.now",
    "os.environ",
    "os.getenv",
    "open",
    "input",
    "print",
}

LOADED_ON_NEED = {"commands/redirect.py"}  # each says so in its docstring

# Where a secret may leave its type: the request, the seal, the delivery, and the net that hides what was revealed.
REVEALS = ("net", "providers", "journal", "deliver", "config/refs", "commands", "cli", "engine")


ROOMS = {p.stem for p in PACKAGE.iterdir()} - {"__init__", "__pycache__"}


def modules() -> Iterator[Path]:
    yield from sorted(p for p in PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node, name.name
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node, node.module
            for name in node.names:
                yield node, f"{node.module}.{name.name}"


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def test_imports_point_left() -> None:
    """No room imports a room that stands to its right in the table."""
    found = set()
    for path in modules():
        room = room_of(path)
        if room in {"cli", "__main__", "__init__"}:
            continue
        allowed = MAY.get(room, WORDS) | {room}
        for _, name in imports(parse(path)):
            parts = name.split(".")
            if parts[0] == "provisioner" and len(parts) > 1:
                target = parts[1]
                if target in ROOMS and target not in allowed and (room, target) not in SEAMS:
                    found.add(f"{path.relative_to(ROOT)} imports {target}")
                if target in {"cli", "commands"} and room != "commands":
                    found.add(f"{path.relative_to(ROOT)} imports {target}")
    assert sorted(found) == []


def test_pure_rooms_touch_nothing() -> None:
    """No clock, no chance, no environment, no files, no network in the rooms that the planner's purity rests on."""
    found = []
    for path in modules():
        if room_of(path) not in PURE:
            continue
        tree = parse(path)
        found += [f"{path.relative_to(ROOT)}: {name}" for _, name in imports(tree) if name in BANNED_MODULES]
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node) in BANNED_CALLS:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert found == []


def test_only_the_command_line_prints_or_exits() -> None:
    """`print`, `sys.exit` and writing to the streams belong to cli/ and __main__, but for modules run by hand."""
    found = []
    for path in modules():
        if room_of(path) in {"cli", "__main__"}:
            continue
        scripts = [n for n in parse(path).body if isinstance(n, ast.If) and "__main__" in ast.unparse(n.test)]
        by_hand = {inner.lineno for node in scripts for inner in ast.walk(node) if isinstance(inner, ast.Call)}
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Call) and node.lineno not in by_hand:
                name = ast.unparse(node.func)
                if name in {"print", "exit", "quit", "sys.exit", "sys.stdout.write", "sys.stderr.write", "os._exit"}:
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {name}")
    assert found == []


def test_heavy_libraries_are_imported_when_needed() -> None:
    """A heavy library is imported at module level only where the module itself is loaded on need, and never by a
    word, the model, the planner or a command-line module."""
    found = []
    for path in modules():
        if room_of(path) not in WORDS | {"model", "planning", "cli", "commands", "engine", "deliver", "__main__"}:
            continue
        if path.relative_to(PACKAGE).as_posix() in LOADED_ON_NEED:
            continue
        for node in parse(path).body:
            found += [
                f"{path.relative_to(ROOT)}: {name}"
                for _, name in (imports(node) if isinstance(node, ast.Import | ast.ImportFrom) else ())
                if name in HEAVY or name.split(".")[0] in HEAVY
            ]
    assert found == []


def test_httpx_has_one_importer() -> None:
    """net/ is the only room that knows the HTTP library."""
    assert [
        str(path.relative_to(ROOT))
        for path in modules()
        if room_of(path) != "net" and any(name.split(".")[0] == "httpx" for _, name in imports(parse(path)))
    ] == []


def test_secrets_leave_their_type_in_few_rooms() -> None:
    """`reveal()` is called only where a value is sent, sealed, delivered or hidden."""
    found = []
    for path in modules():
        where = str(path.relative_to(PACKAGE).with_suffix(""))
        found += [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for node in ast.walk(parse(path))
            if isinstance(node, ast.Attribute) and node.attr == "reveal" and not where.startswith(REVEALS)
        ]
    assert found == []


def test_files_stay_small() -> None:
    """A file over 400 lines is perhaps two rooms."""
    files = [*modules(), *sorted((ROOT / "tests").rglob("*.py"))]
    assert [(str(p.relative_to(ROOT)), n) for p in files if (n := len(p.read_text().splitlines())) > 400] == []


def vendor_types() -> list[str]:
    return sorted(
        p.stem for p in (PACKAGE / "providers").glob("*.py") if not p.stem.startswith("_") and p.stem != "base"
    )


@pytest.mark.parametrize("vendor", vendor_types())
def test_every_vendor_has_a_test_and_an_example(vendor: str) -> None:
    """A vendor is one file in providers/, one test file and one example."""
    assert (ROOT / "examples" / f"{vendor}.toml").is_file()
    assert [p.name for p in (ROOT / "tests").rglob(f"test_*{vendor}*.py")], vendor


def test_the_package_never_speaks_of_itself_as_unfinished() -> None:
    """No note to self and no stub is left in what is shipped."""
    marks = ("TODO", "FIXME", "XXX")
    assert [str(p.relative_to(ROOT)) for p in modules() if any(mark in p.read_text() for mark in marks)] == []
