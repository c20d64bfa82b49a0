"""The built wheel, installed elsewhere, trains from a foreign folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lowlight.images import read_image
from lowlight.shipped import shipped
from tests.tiny import TINY

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_carries_everything_a_run_needs(lol: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "-q"]
    build = [*pip, "wheel", *offline, "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    subprocess.run(build, check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("lowlight-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("conf/train.yaml", "py.typed", "demo/page.css", "serving/page.html"):
        assert f"lowlight/{needed}" in names
    templates = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lowlight/report/templates").iterdir()}
    assert len(templates) == 9
    assert templates <= set(names)
    for name in shipped():
        for needed in ("card.json", "config.json", "model.safetensors", "README.md"):
            assert f"lowlight/weights/{name}/{needed}" in names
    files = zipfile.ZipFile(wheel).infolist()
    assert sum(file.file_size for file in files if file.filename.startswith("lowlight/weights/")) <= 12e6
    assert not [name for name in names if name.startswith(("tests/", "experiments/", "conf/"))]

    site = tmp_path / "site"
    subprocess.run([*pip, "install", *offline, "--target", str(site), str(wheel)], check=True, cwd=tmp_path)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    environment = os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    where = [sys.executable, "-c", "import lowlight; print(lowlight.__file__)"]
    shown = subprocess.run(where, cwd=foreign, env=environment, capture_output=True, text=True, check=True)
    assert Path(shown.stdout.strip()).is_relative_to(site)
    dark = [
        sys.executable,
        "-c",
        "from PIL import Image; Image.new('RGB', (40, 30), (9, 8, 7)).save('dark.png')",
    ]
    subprocess.run(dark, cwd=foreign, check=True)
    enhance = [sys.executable, "-m", "lowlight.cli.enhance", "dark.png", "--out", "bright"]
    subprocess.run(enhance, cwd=foreign, env=environment, check=True)
    assert read_image(foreign / "bright" / "dark.png").mean() > 0.15
    command = ["train", "method=autoencoder", *TINY["autoencoder"], "trainer=cpu", "trainer.max_epochs=1"]
    command += ["trainer.limit_train_batches=1", "trainer.enable_progress_bar=false", "data=lol"]
    command += [f"data.root='{lol}'", "data.patch_size=32", "data.batch_size=2", "output_dir=run"]
    trained = [sys.executable, "-m", "lowlight.cli.train", *command[1:]]
    subprocess.run(trained, cwd=foreign, env=environment, check=True)
    assert (foreign / "run" / "metrics.json").exists()
