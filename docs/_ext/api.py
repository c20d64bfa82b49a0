"""The API reference: a page per part of the package, written at build time from the package's files."""

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

PACKAGE = Path(__file__).resolve().parents[2] / "lowlight"

NOT_IN_API = ("cli", "renamed", "conf", "weights")
"""Parts of the package without public names."""

_INDEX = """\
API reference
=============

Every public name, from its docstring. The main functions are in the package itself:
:func:`lowlight.enhance`, :func:`lowlight.load`, :func:`lowlight.available`,
:func:`lowlight.save_pretrained` and :func:`lowlight.from_pretrained`.
"""


def write_api(app: Sphinx) -> None:
    """Write ``docs/api``: one page per part of the package, with all its public modules."""
    parts = sorted(
        path.stem
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists())
        if not path.name.startswith("_") and path.stem not in NOT_IN_API
    )
    toctree = "\n".join(f"   {part}" for part in parts)
    pages = {"index.rst": f"{_INDEX}\n.. toctree::\n   :maxdepth: 1\n\n{toctree}\n"}
    for part in parts:
        sections = [_section(name, "=" if name == f"lowlight.{part}" else "-") for name in _modules(part)]
        pages[f"{part}.rst"] = "\n".join(sections)
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        if old.name not in pages:
            old.unlink()
    for (
        name,
        text,
    ) in pages.items():  # an unchanged page keeps its time, so that Sphinx need not read it again
        page = folder / name
        if not page.exists() or page.read_text() != text:
            page.write_text(text)


def _modules(part: str) -> list[str]:
    files = [PACKAGE / f"{part}.py"] if (PACKAGE / f"{part}.py").exists() else (PACKAGE / part).rglob("*.py")
    names = []
    for path in files:
        pieces = path.relative_to(PACKAGE).with_suffix("").parts
        if not any(piece.startswith("_") and piece != "__init__" for piece in pieces):
            names.append(".".join(["lowlight", *(piece for piece in pieces if piece != "__init__")]))
    return sorted(names)


def _section(name: str, line: str) -> str:
    return f"{name}\n{line * len(name)}\n\n.. automodule:: {name}\n"


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.connect("builder-inited", write_api)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
