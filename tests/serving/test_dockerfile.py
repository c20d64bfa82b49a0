"""The Dockerfile names what exists; Docker itself is not needed."""

import json
import re
import tomllib
from pathlib import Path

from tests.docs.test_code_blocks import parse

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "Dockerfile").read_text()


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    copied = [words.split()[:-1] for words in re.findall(r"^COPY (?!--from)(.*)$", TEXT, re.MULTILINE)]
    names = {name for line in copied for name in line}
    assert all((ROOT / name).exists() for name in names)
    kept = re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert set(kept) == names
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    licences = {name.split("/")[0] for name in project["project"]["license-files"]}
    assert {"pyproject.toml", project["project"]["readme"], *licences} <= names


def test_the_extras_and_the_command_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (extras,) = re.findall(r"\[([a-z,]+)\]\"", TEXT)
    assert set(extras.split(",")) <= set(project["optional-dependencies"])
    verb, *arguments = json.loads(re.findall(r"^CMD (.*)$", TEXT, re.MULTILINE)[-1])
    parse(verb, arguments)
