"""The written pages and their code blocks."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")]
)
"""Every page whose code is run and whose links are followed."""

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# (\S+/\S+\.(?:py|yaml))\n")


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
