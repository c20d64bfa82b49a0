"""The written pages and their code blocks."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")]
)
"""Every page whose code is run and whose links are followed."""

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# (\S+/\S+\.(?:py|yaml))\n")


HYDRA_SCRIPTS = {"lowlight-train": "train", "lowlight.cli.train": "train", "lowlight-evaluate": "evaluate"}
"""Other names by which the pages call the Hydra verbs."""


class Block(NamedTuple):
    """A fenced block: its language and text, and the file it stands for, if its first line names one."""

    language: str
    text: str
    file: str | None


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the blocks of a page in some languages."""
    found = []
    for language, text in _FENCE.findall(page.read_text()):
        named = _FILE.match(text)
        if language in languages:
            found.append(Block(language, text, named[1] if named else None))
    return found


def write_files(page: Path, folder: Path) -> None:
    """Write the blocks of a page that stand for files."""
    for block in blocks(page, "python", "yaml"):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of every command in a page's shell blocks, without comments."""
    for block in blocks(page, "bash"):
        for line in re.sub(r"\\\n\s*", "", block.text).splitlines():
            for command in line.split(" | "):
                if words := shlex.split(os.path.expandvars(command), comments=True):
                    yield words


def calls(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield verb and arguments of every call of lowlight in a page."""
    for words in commands(page):
        if words[0] == "lowlight":
            yield words[1], words[2:]
        for name in HYDRA_SCRIPTS.keys() & set(words):
            yield HYDRA_SCRIPTS[name], words[words.index(name) + 1 :]
