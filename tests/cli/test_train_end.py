"""How a training says that it has ended, and what a start that failed leaves behind."""

import shutil
from pathlib import Path

import pytest

from tests.cli.commands import AUTOENCODER, in_process, lowlight, on


@pytest.mark.slow
def test_a_failed_start_is_told_in_one_line_and_the_corrected_command_says_what_is_next(
    lol: Path, tmp_path: Path
) -> None:
    command = ["train", *AUTOENCODER, *on(lol), "trainer.max_epochs=1", "output_dir=my run"]
    for wrong, told in {
        "method.optimizer.lr=abc": "error: method.optimizer.lr=abc must be a number, such as 0.001",
        "trainer.accelerator=gpuu": "error: You selected an invalid accelerator name",
    }.items():
        with pytest.raises(SystemExit) as failed:
            in_process(*command, wrong, folder=tmp_path)
        assert str(failed.value).startswith(told)
        assert "\n" not in str(failed.value)
    assert (tmp_path / "my run" / "config.yaml").exists()  # of the second, which failed late
    done = lowlight(*command, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    test, run, compare, enhance = done.stdout.splitlines()[-4:]
    assert test.startswith("Test: PSNR ")
    assert test.endswith(", 2 images")
    assert run == "Run:  'my run'"
    assert compare == "Next: lowlight compare 'my run' --out report"
    assert enhance == "      lowlight enhance dark.jpg --out bright --checkpoint 'my run'"
    with pytest.raises(SystemExit, match="already holds a run"):  # which is never overwritten
        in_process(*command, folder=tmp_path)


@pytest.mark.slow
def test_a_job_of_a_sweep_ends_with_one_line(lol: Path, tmp_path: Path) -> None:
    sweep = ["-m", "seed=0,1", "hydra.sweep.dir=rates", "trainer.max_epochs=1"]
    done = lowlight("train", *sweep, *AUTOENCODER, *on(lol), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    ends = [line for line in done.stdout.splitlines() if ": test PSNR " in line]
    assert [line.partition(":")[0] for line in ends] == ["rates/autoencoder-0", "rates/autoencoder-1"]
    assert "Next:" not in done.stdout


@pytest.mark.slow
def test_a_training_without_test_images_says_what_it_has(lol: Path, tmp_path: Path) -> None:
    shutil.copytree(lol / "our485", tmp_path / "LOL" / "our485")
    command = ["train", *AUTOENCODER, *on(tmp_path / "LOL"), "trainer.max_epochs=1", "output_dir=run"]
    done = lowlight(*command, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: trained, but not tested: there is no test split in ")
    assert done.stderr.rstrip().endswith(f"--checkpoint {tmp_path / 'run'}")
    assert (tmp_path / "run" / "best.ckpt").exists()
