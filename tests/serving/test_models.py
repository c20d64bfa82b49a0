"""The models that a server offers, and the words in which it tells of their failures."""

from pathlib import Path

import pytest
from PIL import Image

from lowlight.inference.load import choose
from lowlight.inference.settings import Settings
from lowlight.serving import models
from lowlight.serving.messages import public_message
from lowlight.serving.models import find_models, loader, size_of
from lowlight.serving.pictures import RefusedError, answer
from lowlight.shipped import shipped


def test_models_are_found_at_any_depth_each_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "ready_made", lambda: ["coarse_to_fine", "gamma", "lime"])
    monkeypatch.setattr(models, "shipped", lambda: ["coarse_to_fine"])
    for name in ("a/best.ckpt", "a/epoch=3.ckpt", "b/c/last.ckpt", "loose/net.ckpt", ".hidden/best.ckpt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = find_models(tmp_path)
    assert list(found) == ["coarse_to_fine", "a", "b/c", "loose/net.ckpt", "gamma", "lime"]
    assert found["b/c"] == tmp_path / "b/c"
    assert found["gamma"] is None
    assert find_models(tmp_path / "a")["a"] == tmp_path / "a"
    monkeypatch.chdir(tmp_path / "b/c")
    assert list(find_models(Path())) == ["coarse_to_fine", "c", "gamma", "lime"]
    assert list(find_models(None)) == ["coarse_to_fine", "gamma", "lime"]


def test_a_run_does_not_hide_a_ready_model_of_its_name(tmp_path: Path) -> None:
    for name in ("coarse_to_fine", "lime", "deep/lime"):
        (tmp_path / "outputs" / name).mkdir(parents=True)
        (tmp_path / "outputs" / name / "best.ckpt").touch()
    found = find_models(tmp_path / "outputs")
    come_along = shipped()
    assert list(found)[: len(come_along) + 3] == [
        *come_along,
        "outputs/coarse_to_fine",
        "deep/lime",
        "outputs/lime",
    ]
    assert found["coarse_to_fine"] is found["lime"] is None
    assert found["outputs/coarse_to_fine"] == tmp_path / "outputs" / "coarse_to_fine"
    alone = find_models(tmp_path / "outputs" / "lime")
    assert alone["outputs/lime"] == tmp_path / "outputs" / "lime"
    assert alone["lime"] is None


def test_exports_and_pretrained_folders_are_models_too(tmp_path: Path) -> None:
    for name in ("net.onnx", "net.xml", "net.bin", "handed/model.safetensors", "handed/config.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [name for name, path in find_models(tmp_path).items() if path] == ["handed", "net.onnx", "net.xml"]


def test_the_last_few_models_stay_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    def counted(path: Path | None, method: str | None) -> object:
        loaded.append(method)
        return choose(path, method)

    monkeypatch.setattr(models, "choose", counted)
    names = ["gamma", "identity", "histogram", "lime"]
    assert len(names) == models.KEPT + 1
    load = loader(dict.fromkeys(names))
    for name in [*names, *reversed(names)]:
        load(name)
    assert loaded == [*names, names[0]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cannot open '/srv/a/b.bin': no such file", "cannot open 'b.bin': no such file"),
        (r"C:\\Users\\me\\b.bin is broken", "b.bin is broken"),
        ("8 and/or 16 bits, at 3/4; see https://a.example/b/c", None),
        ("two\n lines", "two lines"),
    ],
)
def test_messages_keep_file_names_without_folders(text: str, told: str | None) -> None:
    assert public_message(text) == (told or text)


def test_a_models_size_is_that_of_its_weights(tmp_path: Path) -> None:
    assert size_of("coarse_to_fine", None) > 1_000_000
    assert size_of("gamma", None) == 0
    (tmp_path / "best.ckpt").write_bytes(bytes(7))
    (tmp_path / "last.ckpt").write_bytes(bytes(9))
    assert size_of("run", tmp_path) == 7
    (tmp_path / "net.xml").write_bytes(bytes(1))
    (tmp_path / "net.bin").write_bytes(bytes(3))
    assert size_of("net.xml", tmp_path / "net.xml") == 4


def test_an_exported_network_keeps_its_own_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(models, "choose", lambda *_, **options: asked.append(options))
    offered = {"lime": None, "net": tmp_path / "net.onnx"}
    load = loader(offered, device="cpu", runtime="openvino", precision="int8")
    load("lime")
    load("net")
    assert asked == [{"device": "cpu", "runtime": "openvino", "precision": "int8"}, {"device": "cpu"}]


def test_a_picture_too_large_for_the_memory_is_refused_by_its_size(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), (9, 9, 9)).save(tmp_path / "received.png")
    with pytest.raises(RefusedError, match=r"needs about .* make the image smaller") as refused:
        answer(tmp_path / "received.png", "lime", loader({"lime": None}), Settings(max_memory=1))
    assert refused.value.status == 413
    assert "--max-memory" not in str(refused.value)
