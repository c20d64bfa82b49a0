"""Sphinx's settings: ``make docs`` builds the site, and any warning is an error."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "_ext"), str(Path(__file__).parent.parent)]

from lowlight import __version__  # noqa: E402

project = "lowlight"
author = "The lowlight authors"
copyright = author  # noqa: A001
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "api", "links"]
exclude_patterns = ["_build"]
smartquotes = False  # settings and code must stay as they are typed
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}

myst_heading_anchors = 3
myst_enable_extensions = ["attrs_inline", "colon_fence"]

autodoc_default_options = {"members": True, "ignore-module-all": True, "show-inheritance": True}
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

nitpicky = True
nitpick_ignore_regex = [
    # What other packages document; a name of lowlight's must resolve.
    (r"py:.*", r"(?!lowlight\b)\w+(\.\w+)+"),
    # What is imported for annotations only, which Sphinx cannot see through.
    (
        r"py:class",
        r"DictConfig|ExportedProgram|FFmpegError|(In|Out)putContainer|NDArray|Packet|Stream|Tensor|Video(Frame|Stream)",
    ),
    (r"py:class", r"collections\.abc\.Mapping\[str"),  # an annotation split at its comma
    (r"py:.*", r"lowlight\..*\._\w+"),  # private
    (r"py:class", r"lowlight\..*\.[A-Z]\w*T"),  # type variables
]

html_theme = "furo"
html_title = "lowlight"
html_static_path = ["_static"]
html_css_files = ["lowlight.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "source_repository": "https://github.com/lowlight-ml/lowlight/",
    "source_branch": "main",
    "source_directory": "docs/",
}
