"""Imports go one way: cli, then report, training, evaluation, then methods, data, metrics, then networks."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "lowlight"

# A part may import the parts before it in this order, and itself; methods and data never each other.
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


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            pytest.fail(f"{path} imports relatively, which this test cannot follow")
        elif isinstance(node, ast.ImportFrom) and node.module == "lowlight":
            modules |= {f"lowlight.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {name.split(".")[1] for name in modules if name.startswith("lowlight.")} - {"__version__"}


def level_of(part: str) -> int:
    return next(level for level, parts in enumerate(ORDER) if part in parts)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_imports_go_one_way(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":  # names the public functions' homes, and imports them when they are asked for
        return
    for other in imported_parts(path) - {part}:
        assert level_of(other) < level_of(part), f"{part} imports {other}"


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
