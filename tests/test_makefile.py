"""`make study` runs the commands that its page promises, with a stand-in for `lowlight` that notes them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lowlight.config import load_config

ROOT = Path(__file__).parent.parent
STAND_IN = """#!{python}
import json, os, sys
from pathlib import Path
with open({noted!r}, "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
if sys.argv[1] == "compare":
    out = Path(sys.argv[-1])
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.html").touch()
else:
    given = [one.partition("=")[2].strip("'") for one in sys.argv if one.startswith("output_dir=")]
    folder = Path(given[0].replace("\\\\'", "'"))
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "manifest.json").exists():
        (folder / "manifest.json").touch()
"""

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def study(tmp_path: Path, *variables: str) -> list[list[str]]:
    """Run `make study` and return the commands that it ran."""
    noted, program = tmp_path / "noted.jsonl", tmp_path / "bin" / "lowlight"
    noted.unlink(missing_ok=True)
    program.parent.mkdir(exist_ok=True)
    program.write_text(STAND_IN.format(python=sys.executable, noted=str(noted)))
    program.chmod(0o755)
    command = ["make", "-s", "-o", ".venv/.core", "study", f"BIN={program.parent}", *variables]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return [json.loads(line) for line in noted.read_text().splitlines()]


@pytest.mark.parametrize("given", [[], ["ROOT=/data/it's LOL"]])
def test_the_study_trains_scores_and_compares(given: list[str], tmp_path: Path) -> None:
    out = tmp_path / "the study's"
    *runs, compare = study(tmp_path, f"OUT={out}", *given)
    assert [run[0] for run in runs] == ["train"] * 3 + ["evaluate"] * 3
    methods = ["mirnet", "autoencoder", "gan", "identity", "gamma", "histogram"]
    for run, method in zip(runs, methods, strict=True):
        config = load_config(run[1:], run[0])
        assert config.method.name == method
        assert (config.output_dir, config.resume) == (str(out / method), "auto")
        assert config.data.get("root") == ("/data/it's LOL" if given else None)
    assert compare == ["compare", *(str(out / method) for method in methods), "--out", str(out / "report")]
    assert study(tmp_path, f"OUT={out}", *given) == runs  # the report is there, and no run is newer


def test_settings_of_the_data_are_for_all_methods(tmp_path: Path) -> None:
    given = ["data=sice", "data.root=/sice", "+data.layout.x=1", "trainer.max_epochs=1"]
    *runs, _ = study(tmp_path, f"OUT={tmp_path / 'out'}", f"ARGS={' '.join(given)}")
    for run in runs:
        assert run[-len(given) :] == given if run[0] == "train" else run[-3:] == given[:3]
