"""The part of the web page that shows results, and its sentences."""

import html
from typing import Any

from lowlight.demo.batch import Batch
from lowlight.demo.uploads import Result, Results, preview_adjusted
from lowlight.inference.settings import Settings


def lay_out_results() -> list[Any]:
    """Add the components that compare one photograph's results with it, all but the slider hidden.

    Returns:
        Photograph compared, method compared, slider, button that writes the files anew and histogram, in the
        order of :func:`show`.
    """
    import gradio as gr

    return [
        gr.Dropdown([], label="Photograph compared below", visible=False, elem_id="photograph"),
        gr.Radio([], label="Method compared below", visible=False, elem_id="shown"),
        gr.ImageSlider(label="Before and after", elem_id="slider", buttons=["fullscreen"]),
        gr.Button("Write the files with these settings", visible=False, elem_id="write"),
        gr.Image(elem_id="histogram", buttons=[], show_label=False, visible=False),
    ]


def lay_out_files() -> list[Any]:
    """Add the hidden components for all results of one photograph, and for the downloads.

    Returns:
        Gallery, archive and single files, in the order of :func:`show`.
    """
    import gradio as gr

    return [
        gr.Gallery(
            label="Side by side",
            elem_id="gallery",
            height="auto",
            show_label=False,
            allow_preview=False,
            visible=False,
            buttons=["fullscreen"],
        ),
        gr.DownloadButton(visible=False, elem_id="archive"),
        gr.File(
            label="Download in full resolution",
            file_count="multiple",
            interactive=False,
            elem_id="downloads",
            visible=False,
        ),
    ]


def show(
    batch: Batch, photograph: str | None = None, method: str | None = None, settings: Settings | None = None
) -> list[Any]:
    """Return the contents of all result components.

    Args:
        batch: What was made.
        photograph: Name of the photograph compared; the first one by default.
        method: Name of the method compared; by default the first one that changed the photograph.
        settings: Settings to show the result with; if they are not those of the files, only the comparison
            is shown, and the button that writes the files anew.

    Raises:
        gradio.Error: If the files have been deleted meanwhile.
    """
    import gradio as gr

    photographs = [name for name, made in batch.results.items() if made.results]
    name = photograph if photograph in photographs else next(iter(photographs), "")
    deleted = gr.Error("These results have been deleted; press Enhance again.", print_exception=False)
    if not name or not batch.results[name].before.exists():
        raise deleted
    made = batch.results[name]
    one = _compared(made, method)
    methods = [result.name for result in made.results]
    choices = [
        gr.Dropdown(photographs, value=name, visible=len(photographs) > 1),
        gr.Radio(methods, value=one.name, visible=len(methods) > 1),
    ]
    if settings not in (None, batch.settings):
        try:
            preview = preview_adjusted(one, settings)
        except OSError:
            raise deleted from None
        return [*choices, (made.before, preview), gr.Button(visible=True), *hide()[4:]]
    pictures = [(made.before, made.caption), *((result.preview, result.caption) for result in made.results)]
    downloads = [str(result.download) for result in made.results if result.download]
    return [
        *choices,
        (made.before, one.preview),
        gr.Button(visible=False),
        gr.Image(str(one.histogram), visible=True),
        gr.Gallery(pictures, visible=True),
        _archive(batch),
        gr.File(downloads or None, visible=bool(downloads)),
    ]


def hide() -> list[Any]:
    """Return the same contents, empty."""
    import gradio as gr

    return [
        gr.Dropdown([], value=None, visible=False),
        gr.Radio([], value=None, visible=False),
        None,
        gr.Button(visible=False),
        gr.Image(None, visible=False),
        gr.Gallery(None, visible=False),
        gr.DownloadButton(value=None, visible=False),
        gr.File(None, visible=False),
    ]


def _archive(batch: Batch) -> Any:
    import gradio as gr

    if not batch.archive:
        return gr.DownloadButton(value=None, visible=False)
    number = sum(one.download is not None for made in batch.results.values() for one in made.results)
    size = batch.archive.stat().st_size / 2**20
    return gr.DownloadButton(
        f"Download all {number} results (.zip, {size:.1f} MB)", value=str(batch.archive), visible=True
    )


def _compared(made: Results, method: str | None) -> Result:
    named = [one for one in made.results if one.name == method]
    return next(iter([*named, *(one for one in made.results if one.download), *made.results]))


def as_html(*sentences: str, refused: bool = False) -> str:
    """Format sentences as HTML that screen readers announce."""
    paragraphs = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
    return f'<div role="{"alert" if refused else "status"}"{" class=refused" * refused}>{paragraphs}</div>'
