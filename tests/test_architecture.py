"""Imports go one way, from the commands down to the ground; ``make layers`` draws them."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lowlight.methods
from lowlight.cli import VERBS

PACKAGE = Path(__file__).parent.parent / "lowlight"

# A part may import the parts of earlier layers, and itself; those on the ground may import each other.
ORDER = [
    {
        "images",
        "decoding",
        "colour",
        "flicker",
        "adjustments",
        "files",
        "memory",
        "precision",
        "devices",
        "config",
        "losses",
        "perceptual",
        "similarity",
        "deep_features",
        "packages",
        "paths",
        "reference_free",
        "illumination",
        "schedules",
        "renamed",
        "arguments",
        "spelling",
        "lazy",
        "shipped",
        "judging",
    },
    {"networks", "metrics", "runs"},
    {"model"},
    {"methods", "data"},
    {"checkpoints"},
    {"loggers"},
    {"callbacks", "runtimes"},
    {"evaluation"},
    {"training", "inference"},
    {"sweeps", "benchmark", "serving", "detection"},
    {"report", "demo"},
    {"sharing", "gallery"},
    {"cli"},
    {"__main__"},
]


LONGEST_FILE = 340
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


METHODS = {*lowlight.methods.__all__} - {"Method"}


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


LIGHT = ["lowlight", "lowlight.inference.settings", "lowlight.runtimes.table"]
LIGHT += [f"lowlight.cli.{verb}" for verb in VERBS]
"""Modules that a command imports before it knows what to do."""

IMPORT = """
import sys
from importlib import import_module
kept_out, *modules = sys.argv[1:]
for module in modules:
    import_module(module)
    assert not {*kept_out.split()} & sys.modules.keys(), module
"""


def test_importing_a_front_door_loads_no_torch() -> None:
    assert subprocess.run([sys.executable, "-c", IMPORT, "torch", *LIGHT], check=False).returncode == 0


@pytest.mark.slow
def test_importing_the_training_loads_no_logger() -> None:
    command = [sys.executable, "-c", IMPORT, "wandb tensorboard", "lowlight.training"]
    assert subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    print(drawn())  # noqa: T201
