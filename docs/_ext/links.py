"""Links that work on GitHub and on the site: files outside ``docs/``, and names that a package re-exports."""

import importlib
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

ROOT = Path(__file__).resolve().parents[2]

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(\.\./([^)#\s]+)(#[^)\s]*)?\)")
"""A Markdown link, not a picture, to a file above ``docs/``."""

log = logging.getLogger(__name__)


def link_to_repository(app: Sphinx, page: str, source: list[str]) -> None:
    """Turn relative links to files outside ``docs/`` into addresses; warn where the file is missing."""
    repository = app.config.html_theme_options["source_repository"].rstrip("/")

    def address(link: re.Match[str]) -> str:
        text, path, anchor = link[1], link[2], link[3] or ""
        target = ROOT / path
        if not target.exists():
            log.warning("link to a missing file: %s", path, location=page)
        kind = "tree" if target.is_dir() else "blob"
        return f"[{text}]({repository}/{kind}/main/{path}{anchor})"

    source[0] = _LINK.sub(address, source[0])


def resolve_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve a name that a package re-exports, or that a docstring abbreviates, to where it is documented.

    An abbreviated name is one that the docstring's module imports, or that one module of its package defines.
    A name without a docstring leads to its module; one that does not exist stays unresolved, which fails.
    """
    target, module = node.get("reftarget", ""), node.get("py:module") or ""
    if node.get("refdomain") != "py" or not (target.startswith("lowlight.") or module):
        return None
    documented = env.domains.python_domain.objects
    home, found = _imported(target if target.startswith("lowlight.") else f"{module}.{target}")
    if found is None:
        package = ".".join(module.split(".")[:2]) + "."
        names = [name for name in documented if name.startswith(package) and name.endswith(f".{target}")]
        names = [name for name in names if documented[name].objtype != "module"]
    else:
        names = [f"{getattr(found, '__module__', '')}.{getattr(found, '__qualname__', '')}", home]
        names = [name for name in names if name in documented][:1]
    if len(names) != 1:
        return None
    entry = documented[names[0]]
    address = app.builder.get_relative_uri(node["refdoc"], entry.docname)
    return nodes.reference("", "", content, refuri=f"{address}#{entry.node_id}", internal=True)


def _imported(target: str) -> tuple[str, Any]:
    """Return the longest module in a dotted name, and the object that the whole names, or None."""
    parts = target.split(".")
    for cut in range(len(parts), 0, -1):
        module = ".".join(parts[:cut])
        try:
            found: Any = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if error.name != module and not module.startswith(f"{error.name}."):  # a package it imports
                raise
            continue
        for part in parts[cut:]:
            found = getattr(found, part, None)
        return module, found
    return "", None


def keep_sentence(_app: Sphinx, what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Begin a constant's docstring with an empty comment, as Napoleon takes "a: b" for a type."""
    if what in ("data", "attribute", "property"):
        lines[:0] = ["..", ""]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", keep_sentence, priority=400)  # before Napoleon's 500
    app.connect("source-read", link_to_repository)
    app.connect("missing-reference", resolve_public_name)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
