"""A mistyped command line is told in one line, with what was meant."""

from pathlib import Path

import pytest

from lowlight.cli._hydra import with_home
from lowlight.cli._overrides import check_overrides
from tests.cli.commands import lowlight


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("data=lol data.rot=/x", "no setting 'data.rot'; did you mean data.root=/x?"),
        pytest.param(
            "data.rot=/x",
            "no setting 'data.rot'; did you mean data.root=/x, with data=darkened|fivek|lol|",
            marks=pytest.mark.slow,
        ),
        ("data.root=/x", "no setting 'data.root' here; it goes with data=darkened|fivek|lol|"),
        pytest.param(
            "method.net.slope=0.1",
            "no setting 'method.net.slope' here; it goes with method=autoencoder",
            marks=pytest.mark.slow,
        ),
        ("methd=mirnet", "no setting 'methd'; did you mean method=mirnet?"),
        ("schedul=cosine", "no setting 'schedul'; did you mean schedule=cosine?"),
        ("lr=1e-3", "no setting 'lr'; did you mean method.optimizer.lr=1e-3?"),
        ("epochs=3", "no setting 'epochs'; did you mean trainer.max_epochs=3?"),
        ("data.rot=/x sead=1", "no setting 'data.rot'; "),
        ("~trainer.max_epoch", "no setting 'trainer.max_epoch'; did you mean ~trainer.max_epochs?"),
        ("~trainer.profiler", "~trainer.profiler: trainer.profiler is null, as if it were deleted"),
        ("hydra.swep.dir=x", "no setting 'hydra.swep.dir'; did you mean hydra.sweep.dir=x?"),
        ("hydra/launchr=slurm", "no group 'hydra/launchr'; did you mean hydra/launcher=slurm?"),
        ("xyzzy=3", "no setting 'xyzzy' (lowlight train --cfg job lists them; +xyzzy=3 adds a new one)"),
        ("logger=null", "logger=null: null is no choice; leave logger out, or write logger=[]"),
        (
            "schedule=null",
            "schedule=null: null is no choice; leave schedule out, or write method.scheduler=null",
        ),
        ("experiment=null", "experiment=null: null is no choice; leave experiment out"),
        (
            "trainer.max_steps=9",
            "no setting 'trainer.max_steps'; did you mean trainer.max_epochs=9 or trainer.",
        ),
        (
            "method.optimizer.weight_decay=1",
            "no setting 'method.optimizer.weight_decay' here; it goes with method=",
        ),
        ("+seed=3", "seed is there already: write seed=... without +"),
        ("method=mirnt", "method has no choice 'mirnt'; did you mean method=mirnet?"),
        ("method=MIRNet", "method has no choice 'MIRNet'; did you mean method=mirnet?"),
        ("trainer=xyzzy", "trainer has no choice 'xyzzy'; choose one of auto, cpu, ddp, ddp_spawn, gpu"),
        ("trainer=debug", "trainer has no choice 'debug'; did you mean check=debug?"),
        ("data=xyzzy", "data has no choice 'xyzzy'; choose one of darkened, fivek, "),
        ("callbacks=[default,emaa]", "callbacks has no choice 'emaa'; did you mean callbacks=[default,ema]?"),
        (
            "experiment=lolcpu/mirnet",
            "experiment has no choice 'lolcpu/mirnet'; did you mean experiment=lol_cpu/",
        ),
        ("hydra/launcher=slrm", "hydra/launcher has no choice 'slrm'; did you mean hydra/launcher=slurm?"),
        ("-m method=mirnet,gann", "method has no choice 'gann'; did you mean method=gan?"),
        pytest.param("-m method=mirnet,gan data.rot=1,2", "no setting 'data.rot'; ", marks=pytest.mark.slow),
        ("--method mirnet", "--method is no option: settings are written without dashes, method=mirnet"),
        ("--method=gan", "--method=gan is no option: settings are written without dashes, method=gan"),
        ("-method gan", "-method is no option: settings are written without dashes, method=gan"),
        (
            "--lr 1e-3 seed=1",
            "--lr is no option: settings are written without dashes, method.optimizer.lr=1e-3",
        ),
        ("--seed", "--seed is no option: settings are written without dashes, seed=..."),
        ("--confg-dir mine", "no option --confg-dir; did you mean --config-dir?"),
        (
            "--checkpoint x",
            "--checkpoint is an option of lowlight enhance; settings of train are written as ",
        ),
        (
            "mirnet",
            "'mirnet' sets nothing: settings are written as name=value, without spaces; did you mean ",
        ),
        (
            "method = mirnet",
            "'method' sets nothing: settings are written as name=value, without spaces; did you ",
        ),
        (
            "seed=0 -m method=gan,mirnet",
            "method=gan,mirnet stands behind an option: put -m and other options ",
        ),
    ],
)
def test_what_was_meant_is_told_in_one_line(command: str, told: str) -> None:
    with pytest.raises(SystemExit) as stop:
        check_overrides("train", command.split())
    assert str(stop.value.code).startswith(f"error: {told}")
    assert "\n" not in str(stop.value.code)


@pytest.mark.parametrize(
    ("argument", "quoted"),
    [("method=mirnet,gan", ""), ("hydra/launcher=basic,slurm", ""), ("seed=0,1", """ "seed='0,1'" ...""")],
)
def test_values_of_a_sweep_without_its_option_are_told_of_it_and_choices_are_not_quoted(
    argument: str, quoted: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        check_overrides("train", [argument])
    first, *others = str(stop.value.code).splitlines()
    told = f"error: {argument} lists values; to run one job per value: lowlight train -m {argument} ..."
    assert first == told
    assert others == ([f"To give the text as it is, quote it: lowlight train{quoted}"] if quoted else [])


@pytest.mark.parametrize(
    "command",
    [
        "",
        "--help",
        "method=gan --cfg job",
        "-m method=mirnet,gan seed=range(0,1000)",
        "-m method.optimizer.lr=interval(1e-5,1e-3) hydra/sweeper=optuna",
        "-m experiment=study/autoencoder,study/mirnet resume=auto",
        "-m data=glob(lol*) data.root=/x",
        "--multirun hydra/launcher=slurm hydra.launcher.partition=gpu",
        "hparams_search=optuna method=gan hydra.sweeper.n_trials=50",
        "data=lol data.root=/x +data.extra=1 ++seed=3 ~trainer.accelerator",
        "schedule=warmup_cosine method.scheduler.warmup=5 callbacks=[default,ema] callbacks.ema.decay=0.9",
        "schedule@method.second=cosine",  # of no such package, which Hydra says itself
    ],
)
def test_what_hydra_understands_passes(command: str) -> None:
    check_overrides("train", command.split())


def test_configs_of_a_folder_are_known(tmp_path: Path) -> None:
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "sharp.yaml").write_text("defaults: [autoencoder]\nname: sharp\n")
    check_overrides("train", ["--config-dir", str(tmp_path), "method=sharp", "method.net.slope=0.2"])
    with pytest.raises(SystemExit, match="did you mean method=sharp"):
        check_overrides("train", ["--config-dir", str(tmp_path), "method=shrap"])


@pytest.mark.parametrize(
    ("group", "text", "told"),
    [
        ("method", "_target_: mine.Method\n", "method/mine.yaml: no name: in it"),
        ("method", "name: mine\n", "method/mine.yaml: no _target_: in it"),
        ("data", "root: /x\n", "data/mine.yaml: no _target_: in it"),
        ("data", "a: 1\n\tb: 2\n", "data/mine.yaml, line 2: found character"),
    ],
)
def test_what_is_wrong_with_a_config_of_ones_own_is_told_with_its_file(
    group: str, text: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / group).mkdir()
    (tmp_path / group / "mine.yaml").write_text(text)
    with pytest.raises(SystemExit) as stop:
        check_overrides("train", ["--config-dir", str(tmp_path), f"{group}=mine"])
    assert told in str(stop.value.code)
    assert "\n" not in str(stop.value.code)


@pytest.mark.parametrize("form", ["{}", "'{}'"])
@pytest.mark.parametrize("key", ["output_dir", "hydra.sweep.dir"])
def test_output_folders_may_lie_in_the_home_folder(
    key: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/a b")
    given = [f"{key}={form.format('~/runs')}", "data.root=~/x", "~find_lr", f"{key}=a~"]
    assert with_home(given) == [f"{key}='/home/a b/runs'", *given[1:]]


def test_the_evaluation_knows_its_own_settings() -> None:
    with pytest.raises(SystemExit, match="did you mean checkpoint=a"):
        check_overrides("evaluate", ["chekpoint=a"])


@pytest.mark.parametrize(
    "argument", ["experiment=study/mirnet", "objective.metric=val/psnr", "find_lr=true", "logger=wandb"]
)
def test_the_evaluation_tells_what_belongs_to_training(argument: str) -> None:
    with pytest.raises(SystemExit) as stop:
        check_overrides("evaluate", [argument])
    assert stop.value.code == f"error: {argument.partition('=')[0]} belongs to lowlight train: remove it"


@pytest.mark.slow
def test_the_command_says_so_and_hydras_own_error_is_still_to_be_had(tmp_path: Path) -> None:
    done = lowlight("train", "data=lol", "data.rot=x", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: no setting 'data.rot'; did you mean data.root=x?\n"
    assert list(tmp_path.iterdir()) == []
    full = lowlight("train", "data=lol", "data.rot=x", folder=tmp_path, HYDRA_FULL_ERROR="1")
    assert full.returncode == 1
    assert "Traceback" in full.stderr
    assert "Could not override 'data.rot'" in full.stderr
