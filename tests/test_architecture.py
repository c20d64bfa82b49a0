"""Imports go one way: cli, then report, training, evaluation, then methods, data, metrics, then networks."""

import ast
import re
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


METHODS = {"Classical", "GAN", "Supervised", "TwoStages"}


def asks_what_a_method_is(node: ast.AST) -> bool:
    """Whether code tells methods apart by class, class name or attribute, not by the base class."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value.rpartition(".")[2] in METHODS and "." in node.value
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
        return False
    subject, *rest = (ast.unparse(argument) for argument in node.args)
    if node.func.id in ("isinstance", "issubclass"):
        return bool(METHODS & set(re.findall(r"\w+", rest[0])))
    if node.func.id in ("hasattr", "getattr"):
        return subject in ("method", "entry.method", "model", "pl_module")
    return node.func.id in ("any", "sum") and "method" in subject and ".parameters()" in subject


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("isinstance(method, GAN)", True),
        ("isinstance(net, nn.Conv2d | methods.TwoStages)", True),
        ("hasattr(method, 'accumulate')", True),
        ("any(True for _ in method.parameters())", True),
        ("sum(one.numel() for one in method.net.parameters())", True),
        ("target == 'lowlight.methods.Classical'", True),
        ("isinstance(model, Method)", False),
        ("method.learns or method.parameter_count", False),
    ],
)
def test_such_code_is_found(code: str, expected: bool) -> None:
    assert any(map(asks_what_a_method_is, ast.walk(ast.parse(code)))) is expected


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_the_base_class_says_what_a_method_is(path: Path) -> None:
    found = [node for node in ast.walk(ast.parse(path.read_text())) if asks_what_a_method_is(node)]
    assert [f"line {node.lineno}: {ast.unparse(node)}" for node in found] == []  # type: ignore[attr-defined]


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
