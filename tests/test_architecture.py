"""Imports go one way, from the commands down to the ground; ``make layers`` draws them."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "lowlight"

# A part may import the parts of earlier layers, and itself; those on the ground may import each other.
ORDER = [
    {"images", "colour", "files", "memory", "config", "losses", "schedules", "renamed"},
    {"networks", "metrics", "runs"},
    {"methods", "data"},
    {"checkpoints"},
    {"loggers"},
    {"callbacks", "runtimes"},
    {"evaluation"},
    {"training", "inference"},
    {"sweeps", "benchmark"},
    {"report", "demo"},
    {"cli"},
]


LONGEST_FILE = 345
"""Lines: a longer file does more than one thing."""

FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in FILES}


def imports_of(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            pytest.fail(f"{path} imports relatively, which this test cannot follow")
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in inside}
    return {name for name in found if name in MODULES} - {"lowlight", name_of(path)}


def part_of(module: str) -> str:
    return module.split(".")[1]


def level_of(part: str) -> int:
    return next(level for level, parts in enumerate(ORDER) if part in parts)


GRAPH = {module: imports_of(path) for module, path in MODULES.items() if module != "lowlight"}
# (The package itself names the public functions' homes, and imports them when they are used.)


def drawn() -> str:
    """Draw the layers, the lowest last, with the parts that each part imports."""
    lines = []
    for level in range(len(ORDER) - 1, -1, -1):
        for part in sorted(ORDER[level]):
            own = {module for module in GRAPH if part_of(module) == part}
            used = sorted({part_of(other) for module in own for other in GRAPH[module]} - {part})
            size = sum(len(MODULES[module].read_text().splitlines()) for module in own)
            lines.append(f"{level:>2}  {part:<12}{size:>6} lines  {' '.join(used)}".rstrip())
    return "\n".join(lines)


@pytest.mark.parametrize("module", sorted(GRAPH))
def test_imports_go_one_way(module: str) -> None:
    part = part_of(module)
    for other in {part_of(other) for other in GRAPH[module]} - {part}:
        assert level_of(other) < level_of(part) or level_of(other) == level_of(part) == 0, (
            f"{part} imports {other}"
        )


def test_no_file_imports_itself_by_way_of_others() -> None:
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above, module])
        if module not in done:
            for other in sorted(GRAPH[module]):
                visit(other, (*above, module))
            done.add(module)

    for module in GRAPH:
        visit(module, ())


def test_every_part_stands_in_one_layer() -> None:
    parts = sorted(part_of(module) for module in GRAPH if module.count(".") == 1)
    assert parts == sorted(part for layer in ORDER for part in layer)


def test_no_file_is_too_long() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_networks_import_torch_only() -> None:
    for path in (PACKAGE / "networks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                top = name.split(".")[0]
                assert (
                    top == "torch" or name.startswith("lowlight.networks") or top in sys.stdlib_module_names
                )


@pytest.mark.parametrize(
    "statement",
    [
        "import lowlight",
        "import lowlight.cli.train",
        "import lowlight.cli.compare",
        "import lowlight.cli.enhance",
        "import lowlight.cli.export",
        "import lowlight.cli.demo",
        "import lowlight.cli.sweep",
    ],
)
def test_importing_a_front_door_loads_no_torch(statement: str) -> None:
    code = f"import sys; {statement}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


if __name__ == "__main__":
    print(drawn())  # noqa: T201
