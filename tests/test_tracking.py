import csv
from pathlib import Path

from lowlight.config import load_config
from lowlight.training import train
from tests.tiny import TINY

HALVING = "method.scheduler={_target_:torch.optim.lr_scheduler.StepLR,_partial_:true,step_size:1,gamma:0.5}"
QUICK = ["trainer=cpu", "trainer.max_epochs=3", "trainer.enable_progress_bar=false", "data.patch_size=32"]
FEW = ["data=lol", "data.batch_size=2", "data.val_fraction=0.3"]
GAN = ["method=gan", *TINY["gan"], *QUICK, *FEW, HALVING]


def test_the_learning_rate_of_each_network_is_a_curve(lol: Path, tmp_path: Path) -> None:
    train(load_config([*GAN, f"data.root={lol}", f"output_dir={tmp_path}"]))
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for key in ("train/lr", "train/discriminator_lr"):
        assert [float(row[key]) for row in rows] == [2e-4, 1e-4, 5e-5]
