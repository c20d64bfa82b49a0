"""What the commands import: a user waits for nothing that is not needed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from lowlight.checkpoints import save_pretrained
from tests.tiny import LEARNT, tiny

HEAVY = {
    "hydra",
    "kornia",
    "lightning_fabric",
    "lowlight.methods.base",
    "matplotlib",
    "omegaconf",
    "pytorch_lightning",
    "scipy",
    "torch._dynamo",
    "torchmetrics",
}
"""What enhancing a photograph does not need."""

RUN = """
import json, sys
from lowlight.cli.enhance import app
status = 0
for arguments in json.loads(sys.argv[1]):
    status = max(status, app(arguments, standalone_mode=False) or 0)
print(json.dumps([status, sorted(sys.modules)]))
"""


def imported_by(*calls: list[str | Path]) -> tuple[int, set[str]]:
    """Enhance in one new process; return the highest exit status and the modules that were imported."""
    arguments = json.dumps([[str(one) for one in call] for call in calls])
    done = subprocess.run([sys.executable, "-c", RUN, arguments], check=True, capture_output=True, text=True)
    status, modules = json.loads(done.stdout.splitlines()[-1])
    return status, set(modules)


@pytest.fixture
def dark(tmp_path: Path) -> Path:
    Image.new("RGB", (40, 30), (20, 24, 28)).save(tmp_path / "dark.png")
    return tmp_path / "dark.png"


def test_enhancing_imports_torch_but_not_what_trains(dark: Path, tmp_path: Path) -> None:
    for name in LEARNT:
        save_pretrained(tiny(name), tmp_path / name)
    calls = [[dark, "--no-fail-safe", "--out", tmp_path / "out"]]
    calls += [[*calls[0][:-1], tmp_path / f"by_{name}", "--checkpoint", tmp_path / name] for name in LEARNT]
    status, modules = imported_by(*calls)
    assert (status, "torch" in modules) == (0, True)
    assert modules & HEAVY == set()
    assert all((call[3] / "dark.png").is_file() for call in calls)


def test_enhancing_by_a_function_imports_no_more(dark: Path, tmp_path: Path) -> None:
    status, modules = imported_by([dark, "--method", "gamma", "--out", tmp_path / "out"])
    assert status == 0
    assert modules & HEAVY <= {"omegaconf"}  # reads the names of the methods
    assert (tmp_path / "out/dark.png").is_file()


def test_a_missing_file_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    status, modules = imported_by([tmp_path / "dark.png", "--out", tmp_path / "out"])
    assert (status, modules & {"torch", *HEAVY}) == (1, set())


def test_what_exists_is_skipped_before_torch_is_imported(dark: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/dark.png").touch()
    status, modules = imported_by([dark, "--skip-existing", "--out", tmp_path / "out"])
    assert status == 0
    assert "torch" not in modules


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--checkpoint", "missing.ckpt"], "missing.ckpt: no such file or folder"),
        (
            ["--method", "magic"],
            "magic is no method: give a checkpoint (--checkpoint), or one of",
        ),
        (["--method", "mirnet"], "mirnet must be trained first"),
        (["--method", "gamma", "--checkpoint", "a.ckpt"], "give --checkpoint or --method, not both"),
        (["--precision", "fp64"], "precision 'fp64' is none of auto, fp32"),
        (["--strength", "2"], "strength must be from 0 to 1"),
        (["--max-memory", "much"], "--max-memory=much is no size"),
    ],
)
def test_a_wrong_option_is_told_before_torch_is_imported(
    options: list[str], told: str, dark: Path, tmp_path: Path
) -> None:
    said = refusal_without_torch("enhance", tmp_path, str(dark), "--out", str(tmp_path / "out"), *options)
    assert said.startswith(f"lowlight enhance: {told}")


def test_a_missing_checkpoint_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    told = "missing.ckpt: no such file or folder\n"
    said = refusal_without_torch("export", tmp_path, "missing.ckpt", "--out", str(tmp_path / "net.onnx"))
    assert said == f"lowlight export: {told}"
    overrides = ["checkpoint=missing.ckpt", f"output_dir={tmp_path}/scores"]
    assert refusal_without_torch("evaluate", tmp_path, *overrides).endswith(f"error: {told}")


def refusal_without_torch(verb: str, folder: Path, *arguments: str) -> str:
    """Return what a refused command says where a module that stands for torch fails to be imported."""
    (folder / "torch.py").write_text("raise SystemExit('torch was imported')")
    code = f"import sys; sys.path.insert(0, sys.argv.pop(1)); from lowlight.cli.{verb} import main; main()"
    command = [sys.executable, "-c", code, str(folder), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    return done.stderr
