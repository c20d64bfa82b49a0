"""The model card says what the run's files say, and no more."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lowlight.data.photographs import REFERENCES, Photographs
from lowlight.sharing.card import model_card, read_facts
from lowlight.sharing.licence import RESEARCH_ONLY, check_licence, default_licence, terms

FINISHED = Path(__file__).parents[1] / "golden" / "runs_0.1.0" / "finished"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a finished run of two test images: PSNR 6.16 dB in [6.01, 6.32], 2,034 parameters."""
    return Path(shutil.copytree(FINISHED, tmp_path / "run"))


def edit(run: Path, change: Callable[[dict[str, Any]], object], name: str = "manifest.json") -> None:
    content = json.loads((run / name).read_text())
    change(content)
    (run / name).write_text(json.dumps(content))


def card(
    run: Path, licence: str = RESEARCH_ONLY, difference: float | None = None
) -> tuple[dict[str, Any], str]:
    """Return the card's front matter and its text."""
    written = model_card(read_facts(run), "us/tiny", licence, 2034, difference=difference)
    _, front, text = written.split("---\n", 2)
    return yaml.safe_load(front), text


def test_what_the_recipe_calls_is_named_and_trusted_in_the_code(run: Path) -> None:
    text = model_card(read_facts(run), "us/tiny", "mit", 2034, difference=None, trust=["ours", "theirs"])
    assert 'lowlight.from_pretrained("us/tiny", trust=["ours", "theirs"])' in text
    assert "Its recipe calls ours, theirs, which you install and trust." in text
    assert "trust" not in card(run)[1]


def test_the_hub_reads_library_task_licence_tags_and_scores(run: Path) -> None:
    front, text = card(run)
    assert (front["library_name"], front["pipeline_tag"]) == ("lowlight", "image-to-image")
    assert (front["license"], front["license_name"], front["license_link"]) == (
        "other",
        "research-only",
        "LICENSE",
    )
    assert {"low-light-image-enhancement", "autoencoder"} <= set(front["tags"])
    hub = pytest.importorskip("huggingface_hub")
    data = hub.ModelCard(f"---\n{yaml.safe_dump(front)}---\n{text}").data
    assert data.model_name == "tiny"
    assert [(one.metric_type, one.metric_value, one.dataset_name) for one in data.eval_results] == [
        ("psnr", 6.1638, "LOL, 2 images of 2 scenes"),
        ("ssim", 0.1288, "LOL, 2 images of 2 scenes"),
    ]
    assert card(run, "cc-by-nc-4.0")[0]["license"] == "cc-by-nc-4.0"


def test_people_read_use_scores_training_and_limits(run: Path) -> None:
    edit(run, lambda manifest: manifest.update(train_minutes=66.02, dirty=True, stopped="max_time"))
    _, text = card(run, difference=7.3e-4)
    for said in (
        "2,034 parameters in 16 bits; outputs differ from those of 32-bit weights by at most 7.3e-04.",
        'method = lowlight.from_pretrained("us/tiny")',
        "On 2 test images of 2 scenes (LOL), at native size, outputs rounded to 8 bits; one seed.",
        "| PSNR, dB | 6.16 | 6.01 to 6.32 |",
        "| data | LOL: pairs, 4 for training and 2 for validation |",
        "| epochs, seed | 4; weights of epoch 4; seed 0 |",
        "| time | 66.0 minutes |",
        "| machine | AMD EPYC, 2 cores, 23.5 GiB; trained on the CPU |",
        "| code | lowlight 0.1.0, commit `e1be62befe6d`, with uncommitted changes, torch 2.13.0+cpu |",
        "- It learnt from 4 pairs;",
        "- Its training did not run to its end: it was stopped by a time limit.",
        "- No test image shows a scene of the training.",
    ):
        assert said in text, said


def test_folders_of_this_machine_are_left_out(run: Path) -> None:
    command = [
        "lowlight",
        "train",
        "experiment=lol_cpu/mirnet",
        "data.root=[/home/me/LOL,'~/more pairs/B']",
        "output_dir='/home/me/out'",
        "--config-dir",
        "/home/me/mine",
    ]
    edit(run, lambda manifest: manifest.update(command=command))
    _, text = card(run)
    assert ("`lowlight train experiment=lol_cpu/mirnet data.root=[LOL,'B']`") in text
    assert "/srv" not in text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("data.root=/data/LOL/", "data.root=LOL"),
        ("data.root='[/data/A, /home/alice/B]'", "data.root='[A, B]'"),
        (
            "data.sets={a: {root: /home/alice/x}, b: {root: ~alice/y}}",
            "data.sets={a: {root: x}, b: {root: y}}",
        ),
        ("data.sets={a:{root:/home/alice/x}}", "data.sets={a:{root:x}}"),
        (r"data.root=[C:\Users\alice\LOL,'D:/alice/LOL 2']", "data.root=[LOL,'LOL 2']"),
        (r"data.root=\\server\alice\LOL", "data.root=LOL"),
        ("data.root='/home/alice, [and] bob/LOL'", "data.root='LOL'"),
        ("data.root=/data/A,../alice/B", "data.root=A,B"),
        ("data.root=sets/LOL", "data.root=sets/LOL"),
        ("data.layout.splits={train: [Train/Real]}", "data.layout.splits={train: [Train/Real]}"),
        ("+method.loss.terms.vgg.weights=/home/alice/vgg19.pth", "+method.loss.terms.vgg.weights=vgg19.pth"),
        *((kept, kept) for kept in ("seed=1", "schedule=cosine", "trainer.max_epochs=4", "++data.mixup=1.2")),
        *((kept, kept) for kept in ("callbacks=[default,ema]", "callbacks.ema.decay=0.99", "~data.bright")),
        *(
            (kept, kept)
            for kept in ("objective.metric=val/ssim", "hparams_search=grid", "check=debug", "metrics=[lpips]")
        ),
        ("checkpoint=/home/alice/runs/mine", "checkpoint=mine"),
    ],
)
def test_settings_that_decide_the_result_are_kept_without_folders(run: Path, given: str, shown: str) -> None:
    edit(run, lambda manifest: manifest.update(command=["lowlight", "train", given]))
    assert f"| command | `lowlight train {shown}` |" in card(run)[1]


@pytest.mark.parametrize(
    "given",
    [
        "logger.mlflow.tracking_uri=https://alice:s3cret@mlflow.corp.example/",
        "logger.mlflow.tracking_uri=file:///home/alice/mlruns",
        "logger.wandb.entity=alice",
        "hydra.sweeper.storage=postgresql://u:pw@db/x",
        "+callbacks.chat.token=s3cret",
        "data.root=https://alice:s3cret@corp.example/LOL",
        "data.sets={a: {root: FILE:/home/alice/x}}",
        "output_dir=/home/alice/out",
        "--config-dir",
        "/home/alice/mine",
    ],
)
def test_accounts_and_addresses_are_left_out(run: Path, given: str) -> None:
    command = ["lowlight", "train", "method=gan", given, "seed=1"]
    edit(run, lambda manifest: manifest.update(command=command))
    assert "| command | `lowlight train method=gan seed=1` |" in card(run)[1]


def test_photographs_that_were_only_scored_on_are_told_apart(run: Path) -> None:
    source = str(Photographs("/home/alice/my_photos", pairs="/data/LOL"))
    edit(run, lambda manifest: manifest["data"]["sets"]["LOL"].update(source=source))
    front, text = card(run)
    assert "| data | my_photos: pairs, 4 for training and 2 for validation; scored on LOL |" in text
    assert "On 2 test images of 2 scenes (LOL)" in text
    assert front["model-index"][0]["results"][0]["dataset"]["type"] == "LOL"
    assert "photographs (my_photos) whose" in (terms(RESEARCH_ONLY, read_facts(run).sets) or "")


def test_bright_photographs_of_unpaired_training_are_named(run: Path) -> None:
    edit(run, lambda manifest: manifest["data"].update(bright="/home/alice/bright"))
    assert "| data | LOL, bright: pairs, 4 for training" in card(run)[1]
    edit(run, lambda manifest: manifest["data"].update(bright=REFERENCES))
    assert "| data | LOL: pairs, 4 for training" in card(run)[1]


@pytest.mark.parametrize(
    ("leak", "said"),
    [
        ({"test_images": 2, "in_training_scenes": 1, "left_out": 0}, "**Test images show scenes"),
        ({}, "Whether test images show scenes of the training is not recorded."),
    ],
)
def test_scores_that_may_show_a_leak_are_not_offered_for_ranking(
    run: Path, leak: dict[str, int], said: str
) -> None:
    edit(run, lambda manifest: manifest["data"].update(leak=leak))
    front, text = card(run)
    assert "model-index" not in front
    assert said in text
    assert "| PSNR, dB | 6.16 |" in text


def test_fine_tuned_weights_are_named_and_for_research_only(run: Path) -> None:
    edit(run, lambda manifest: manifest["data"].update(start_from="/home/us/old run"))
    text = card(run)[1]
    assert "| fine-tuned from | old run, whose own training data come beside these |" in text
    assert "/home" not in text
    edit(run, lambda manifest: manifest["data"].update(start_from="/home/us/old/last.ckpt"))
    assert "| fine-tuned from | old/last.ckpt, whose" in card(run)[1]
    free = {"sets": {"rooms": {"source": "embedded photographs"}}}
    assert default_licence(free) == "mit"
    assert default_licence(free | {"start_from": "coarse_to_fine"}) == RESEARCH_ONLY


def test_a_training_says_nothing_of_leaks_into_other_images(run: Path) -> None:
    (run / "best.ckpt").unlink()
    edit(run, lambda manifest: manifest.update(data_of_training=dict(manifest["data"])))
    edit(run, lambda manifest: manifest["data"].pop("leak"))
    front, text = card(run)
    assert "model-index" not in front
    assert "Whether test images show scenes of the training is not recorded." in text


def test_undefined_scores_are_not_offered_either(run: Path) -> None:
    edit(run, lambda metrics: metrics.update({"test/psnr": "Infinity"}), "metrics.json")
    assert card(run)[0]["metrics"] == ["ssim"]


def test_a_training_without_validation_is_one(run: Path) -> None:
    whole = card(run)
    (run / "best.ckpt").rename(run / "last.ckpt")
    assert card(run) == whole
    assert "| machine |" in whole[1]


def test_an_evaluations_machine_and_command_are_not_the_trainings(run: Path) -> None:
    (run / "best.ckpt").unlink()
    _, text = card(run)
    assert "| data | not recorded |" in text
    edit(run, lambda manifest: manifest.update(data_of_training=manifest["data"]))
    front, text = card(run)
    assert "| data | LOL: pairs, 4 for training and 2 for validation |" in text
    assert "| code of the evaluation |" in text
    assert "| command of the evaluation |" in text
    assert "| machine |" not in text
    assert "model-index" in front


def test_texts_of_the_run_open_no_cell_and_no_tag(run: Path) -> None:
    edit(run, lambda manifest: manifest["machine"].update(processor="a | b <script>\n# c"))
    _, text = card(run)
    assert "| machine | a \\| b &lt;script> # c, 2 cores" in text


@pytest.mark.parametrize(
    ("sources", "licence"),
    [
        (["embedded photographs"], "mit"),
        (["drawn plates"], "mit"),
        (["/data/LOL"], RESEARCH_ONLY),
        (["embedded photographs", "/data/mine"], RESEARCH_ONLY),
        ([], RESEARCH_ONLY),
    ],
)
def test_the_licence_follows_from_the_data(sources: list[str], licence: str) -> None:
    sets = {str(index): {"source": source} for index, source in enumerate(sources)}
    assert default_licence({"sets": sets}) == licence
    assert (terms(licence, "LOL") is None) == (licence == "mit")
    check_licence(licence)


@pytest.mark.parametrize(
    ("bright", "licence"), [("/home/alice/cc-by-nc-photos", RESEARCH_ONLY), (REFERENCES, "mit")]
)
def test_the_licence_follows_from_the_bright_photographs_too(bright: str, licence: str) -> None:
    data = {"sets": {"synthetic": {"source": "embedded photographs"}}, "bright": bright}
    assert default_licence(data) == licence


@pytest.mark.parametrize("licence", ["", "MIT", "my own", "a/b", "mit\n"])
def test_a_licence_is_an_identifier(licence: str) -> None:
    with pytest.raises(ValueError, match="is no identifier of the hub"):
        check_licence(licence)
