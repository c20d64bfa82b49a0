"""What `lowlight push` hands over is loaded again; nothing leaves this machine in these tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner, Result

from lowlight.checkpoints.load import from_pretrained, load_run
from lowlight.cli.push import app
from lowlight.config import load_config
from lowlight.evaluation.evaluate import evaluate
from lowlight.files import read_json
from lowlight.runtimes.export import export_pretrained
from lowlight.sharing.folder import write_folder
from tests.sharing.stand_in import Hub, running
from tests.tiny import tiny
from tests.tiny_runs import run as train

pytestmark = pytest.mark.xdist_group("push")


@pytest.fixture(scope="module")
def trained(lol: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "mine"
    train("autoencoder", lol, folder)
    return folder


@pytest.fixture
def hub() -> Iterator[Hub]:
    pytest.importorskip("huggingface_hub")
    with running(Hub()) as stand_in:
        yield stand_in


QUIET = {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


def push(folder: Path, address: str, *arguments: str, token: str = "hf_ours") -> Result:
    """Run the verb in this process and in a folder of its own, with the hub at an address of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (QUIET | {"HF_TOKEN": token}).items():
            patch.setenv(name, value)
        patch.setattr("huggingface_hub.constants.ENDPOINT", address)
        patch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(folder / "token"))
        patch.chdir(folder)
        return CliRunner().invoke(app, list(arguments))


def test_the_hub_gets_one_commit_that_loads_as_the_same_model(
    trained: Path, hub: Hub, tmp_path: Path
) -> None:
    done = push(tmp_path, hub.address, str(trained), "us/tiny")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"Handed to {hub.address}/us/tiny"
    assert "Licence: research-only, which follows from the data" in done.stdout
    assert hub.message == "lowlight push: mine"
    assert [path for _, path in hub.requests if path.endswith("/commit/main")] == [
        "/api/models/us/tiny/commit/main"
    ]
    assert hub.private == {"us/tiny": False}
    for name, content in hub.files["us/tiny"].items():
        (tmp_path / name).write_bytes(content)
    low = torch.rand(1, 3, 21, 35)
    assert from_pretrained(tmp_path).enhance(low).equal(load_run(trained).enhance(low))
    assert sorted(hub.files["us/tiny"]) == [
        "LICENSE",
        "README.md",
        "config.json",
        "metrics.json",
        "model.safetensors",
    ]
    assert (tmp_path / "metrics.json").read_text() == (trained / "metrics.json").read_text()
    assert read_json(tmp_path / "config.json")["commit"] == read_json(trained / "manifest.json")["commit"]
    everything = b"".join(hub.files["us/tiny"].values())
    for private in (trained, tmp_path, Path(sys.prefix)):
        assert str(private).encode() not in everything


def test_private_is_asked_for_and_a_public_repository_is_left_alone(
    trained: Path, hub: Hub, tmp_path: Path
) -> None:
    assert push(tmp_path, hub.address, str(trained), "us/secret", "--private").exit_code == 0
    assert hub.private == {"us/secret": True}
    assert "model.safetensors" in hub.files["us/secret"]
    hub.private["us/open"] = False
    refused = push(tmp_path, hub.address, str(trained), "us/open", "--private")
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "us/open is public already" in refused.stderr
    assert "us/open" not in hub.files


def test_another_licence_leaves_nothing_of_the_earlier_one_in_the_repository(
    trained: Path, hub: Hub, tmp_path: Path
) -> None:
    assert push(tmp_path, hub.address, str(trained), "us/tiny").exit_code == 0
    hub.files["us/tiny"]["examples.md"] = b"somebody's"
    assert b"for research" in hub.files["us/tiny"]["LICENSE"]
    again = push(tmp_path, hub.address, str(trained), "us/tiny", "--license", "mit")
    assert again.exit_code == 0, again.stderr
    assert "license: mit" in hub.files["us/tiny"]["README.md"].decode()
    assert "LICENSE" not in hub.files["us/tiny"]
    assert hub.files["us/tiny"]["examples.md"] == b"somebody's"
    assert push(tmp_path, hub.address, str(trained), "us/tiny").exit_code == 0
    assert b"for research" in hub.files["us/tiny"]["LICENSE"]


def test_a_folder_or_a_dry_run_hands_nothing_over(trained: Path, hub: Hub, tmp_path: Path) -> None:
    written = push(tmp_path, hub.address, str(trained), "us/tiny", "--out", "shared", "--half", token="")
    assert written.exit_code == 0, written.stderr
    assert written.stdout.splitlines()[-1] == "Wrote shared"
    dtypes = {weight.dtype for weight in load_file(tmp_path / "shared" / "model.safetensors").values()}
    assert torch.float16 in dtypes
    assert torch.float32 not in dtypes
    assert "in 16 bits; outputs differ" in (tmp_path / "shared" / "README.md").read_text()
    again = push(
        tmp_path, hub.address, str(trained), "us/tiny", "--out", "shared", "--license", "mit", token=""
    )
    assert again.exit_code == 0, again.stderr
    assert not (tmp_path / "shared" / "LICENSE").exists()  # of the first time
    dry = push(tmp_path, hub.address, str(trained), "us/tiny", "--dry-run", token="")
    assert dry.exit_code == 0, dry.stderr
    assert "# tiny\n" in dry.stdout
    assert dry.stdout.splitlines()[-1] == "Nothing was handed over"
    assert hub.requests == []


def one_line(done: Result) -> str:
    assert done.exit_code == 1
    assert done.stderr.startswith("lowlight push: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_what_is_missing_is_told_in_one_line_before_anything_is_handed_over(
    trained: Path, hub: Hub, tmp_path: Path
) -> None:
    assert "no token for the Hugging Face hub: run `hf auth login`, or set HF_TOKEN" in one_line(
        push(tmp_path, hub.address, str(trained), "us/tiny", token="")
    )
    (tmp_path / "unfinished").mkdir()
    assert "unfinished: not a finished run" in one_line(push(tmp_path, hub.address, "unfinished", "us/tiny"))
    assert hub.requests == []
    assert "us/tiny was not handed over: " in one_line(
        push(tmp_path, hub.address, str(trained), "us/tiny", token="hf_no")
    )
    assert hub.files == {}


def test_a_network_that_refuses_is_told_in_one_line(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    assert "us/tiny was not handed over: " in one_line(
        push(tmp_path, "http://127.0.0.1:9", str(trained), "us/tiny")
    )


def test_a_missing_client_is_told_with_its_remedy(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install 'lowlight[hub]'" in one_line(CliRunner().invoke(app, [str(trained), "us/tiny"]))


def test_neither_a_false_licence_nor_a_run_is_written_to(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no identifier of the hub"):
        write_folder(trained, tmp_path / "shared", "us/tiny", licence="My own")
    before = sorted(trained.iterdir())
    evaluation = tmp_path / "evaluation"
    evaluation.mkdir()
    (evaluation / "manifest.json").write_text("{}")
    for run in (trained, evaluation):
        with pytest.raises(ValueError, match=f"{run.name} holds a run; write to another folder"):
            write_folder(trained, run, "us/tiny")
        with pytest.raises(ValueError, match=f"{run.name} holds a run; write to another folder"):
            export_pretrained(tiny("autoencoder"), run)
    assert sorted(trained.iterdir()) == before
    assert [path.name for path in evaluation.iterdir()] == ["manifest.json"]
    assert not (tmp_path / "shared").exists()


@pytest.mark.parametrize("name", ["README.md", "LICENSE", "metrics.json", "config.json"])
def test_a_folder_of_others_is_not_written_to(name: str, trained: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text("theirs")
    with pytest.raises(ValueError, match=f"holds {name}, not written by lowlight"):
        write_folder(trained, tmp_path, "us/tiny")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "theirs")]


def test_what_learns_nothing_has_no_weights_to_share(lol: Path, tmp_path: Path) -> None:
    settings = ["method=gamma", "data=lol", f"data.root='{lol}'", f"output_dir='{tmp_path / 'gamma'}'"]
    evaluate(load_config([*settings, "trainer=cpu"], "evaluate"))
    with pytest.raises(ValueError, match="gamma learns nothing, so there are no weights to share"):
        write_folder(tmp_path / "gamma", tmp_path / "shared", "us/gamma")
    assert not (tmp_path / "shared").exists()
