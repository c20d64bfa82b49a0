"""A report, written once for all tests that read it."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from lowlight.report import compare
from lowlight.report.study_claims import judge
from tests.report.fake_runs import load, write_run


@pytest.fixture(scope="package", autouse=True)
def without_networks() -> Iterator[None]:
    """Let every run's method be the same stand-in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_module("lowlight.report.compare"), "load_run", load)
        yield


@pytest.fixture(scope="package")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report on two seeds of MIRNet, a capped autoencoder, a GAN and a classical method."""
    root = tmp_path_factory.mktemp("runs")
    runs = [
        write_run(root / "identity", "identity", psnr=7.77, epochs=0),
        write_run(root / "mirnet-0", psnr=21.0),
        write_run(root / "mirnet-1", psnr=22.0, seed=1),
        write_run(root / "gan", "gan_<b>&$x_", psnr=18.0, gan=True, epochs=8),
        write_run(root / "autoencoder", "autoencoder", psnr=19.0, stopped="max_time"),
    ]
    return compare(runs, root / "report", judge=judge).parent
