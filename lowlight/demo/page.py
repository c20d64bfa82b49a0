"""The web page that enhances photographs, built with Gradio."""

import asyncio
import html
import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from lowlight.demo.guard import Guard
from lowlight.demo.store import Store
from lowlight.demo.uploads import Results, enhance_upload, find_models, loader
from lowlight.inference.models import DEFAULT
from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer

AT_ONCE = 6
"""Greatest number of methods per upload."""
QUEUED = 100
"""Greatest number of uploads that wait to be enhanced."""
_WELCOME = "Choose a photograph, then press Enhance."
_UPLOADS = 50  # of the largest size, that are kept
_CLEANING = (600, 3600)  # every 600 s, files older than 3600 s are deleted

_CSS = """
#message p { margin: 0.2em 0; }
#message .refused { font-weight: 600; color: #b3261e !important; }
.dark #message .refused { color: #ffb4ab !important; }
#gallery .grid-wrap { min-height: 0; max-height: none; }
#gallery .grid-container { grid-template: auto / repeat(auto-fit, minmax(min(250px, 100%), 1fr)); }
#gallery .thumbnail-lg { aspect-ratio: auto; height: auto; display: block; }
#gallery .caption-label { position: static; max-width: none; white-space: normal; text-align: left; }
"""


def serve(
    runs: Path | None,
    host: str,
    port: int,
    max_upload: int,
    max_pixels: int,
    trust: Sequence[str] = (),
    allow_hosts: Sequence[str] = (),
    announce: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve the page until the process is interrupted.

    Args:
        runs: Folder of runs, checkpoints and exports to offer.
        host: Address to listen on.
        port: Port to listen on.
        max_upload: Largest upload in bytes.
        max_pixels: Largest photograph in pixels.
        trust: Packages beyond torch and lowlight that the checkpoints may use.
        allow_hosts: Further names under which the page is reached, such as a proxy's.
        announce: Called with the page's address once it can be opened.

    Raises:
        ValueError: If Gradio is missing, the folder holds no model, or the address is not available.
    """
    models = find_models(runs)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="lowlight-demo-") as folder:
        # Gradio reads these on import.
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        os.environ["NO_PROXY"] = "*"  # keeps its health check of its own server off a proxy
        settings = Settings(max_pixels=max_pixels)
        store = Store(Path(folder), _UPLOADS * max_upload)
        page = build(models, loader(models, trust=trust), settings, max_upload, store)
        try:
            _launch(page, host, port, max_upload, store, allow_hosts)
        except OSError:
            raise ValueError(f"cannot listen on {host}, port {port}; give another --port or --host") from None
        try:
            announce(page.local_url)
            threading.Event().wait()
        except KeyboardInterrupt:
            page.close(verbose=False)


def _launch(
    page: Any, host: str, port: int, max_upload: int, store: Store, allow_hosts: Sequence[str]
) -> None:
    """Start the server without any feature that contacts other machines."""
    from gradio.themes import Default
    from starlette.middleware import Middleware

    async def sweep() -> None:
        await asyncio.to_thread(store.sweep)

    guard = Middleware(Guard, host, allow_hosts, max_upload, sweep)
    page.launch(
        server_name=f"[{host}]" if ":" in host else host,  # IPv6
        server_port=port,
        max_file_size=max_upload,
        share=False,
        quiet=True,
        ssr_mode=False,
        run_history=False,
        footer_links=[],
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        state_session_capacity=200,
        app_kwargs={"middleware": [guard]},
        prevent_thread_lock=True,
        css=_CSS,
        theme=Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    )


def build(
    models: dict[str, Path | None],
    load: Callable[[str], Enhancer],
    settings: Settings,
    max_upload: int,
    store: Store,
) -> Any:
    """Lay out the page and connect its components.

    Args:
        models: Models to choose from; see :func:`lowlight.demo.uploads.find_models`.
        load: Loads a model by name.
        settings: Its ``max_pixels`` limits the size of photographs.
        max_upload: Largest upload in bytes, as the page states it.
        store: The temporary files.

    Returns:
        A ``gradio.Blocks``, ready to launch.

    Raises:
        ValueError: If Gradio is missing.
    """
    try:
        import gradio as gr
    except ImportError:
        raise ValueError("the page needs: pip install 'lowlight[demo]'") from None

    trained = [name for name, path in models.items() if path]
    with gr.Blocks(title="lowlight", analytics_enabled=False, delete_cache=_CLEANING) as page:
        gr.Markdown("# lowlight\nDark photograph in, well-exposed photograph out.")
        kept = gr.State(None, time_to_live=_CLEANING[1])
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                upload = gr.File(label="Photograph", elem_id="upload", height=160)
                limits = f"{max_upload / 2**20:.3g} MB and {settings.max_pixels / 1e6:g} megapixels"
                gr.Markdown(f"Up to {limits}.")
                names = gr.Dropdown(
                    list(models),
                    value=list(dict.fromkeys([*trained[:1], DEFAULT])),
                    multiselect=True,
                    max_choices=AT_ONCE,
                    label="Methods",
                    info=f"Up to {AT_ONCE}, compared side by side; trained models are listed first.",
                )
                strength = gr.Slider(0, 1, 1, step=0.05, label="Strength")
                fail_safe = gr.Checkbox(
                    True,
                    label="Fail-safe",
                    info="Keep the original if it is bright already or the result is unusable.",
                )
                button = gr.Button("Enhance", variant="primary", elem_id="enhance")
            with gr.Column(scale=2, min_width=280):
                message = gr.HTML(_as_html(_WELCOME), elem_id="message")
                shown = gr.Radio([], label="Method compared below", visible=False, elem_id="shown")
                slider = gr.ImageSlider(label="Before and after", elem_id="slider", buttons=["fullscreen"])
                histogram = gr.Image(elem_id="histogram", buttons=[], show_label=False, visible=False)
        gallery = gr.Gallery(
            label="Side by side",
            elem_id="gallery",
            height="auto",
            show_label=False,
            allow_preview=False,
            visible=False,
            buttons=["fullscreen"],
        )
        downloads = gr.File(
            label="Download in full resolution",
            file_count="multiple",
            interactive=False,
            elem_id="downloads",
            visible=False,
        )

        def enhance(
            path: str | None, chosen: list[str], share: float, safe: bool, request: gr.Request
        ) -> list[Any]:
            chosen = list(dict.fromkeys(chosen or []))
            if remedy := _remedy(path, chosen):
                return [None, _as_html(remedy, refused=True), *_nothing()]
            source, session = Path(cast(str, path)), str(request.session_hash)
            store.hold(session, source)
            try:
                one = Settings(share, safe, settings.max_pixels)
                made = enhance_upload(source, chosen, load, one, store.new_results(session))
            except ValueError as error:
                return [None, _as_html(str(error), refused=True), *_nothing()]
            finally:
                store.sweep()
            if not made.results:
                return [None, _as_html(*made.remarks, refused=True), *_nothing()]
            return [made, _as_html(*made.remarks or ("Done.",)), *_show_all(made)]

        def hold(path: str | None, request: gr.Request) -> None:
            if path:
                store.hold(str(request.session_hash), Path(path))

        def end(request: gr.Request) -> None:
            store.drop(str(request.session_hash))

        def choose_shown(made: Results | None, name: str) -> list[Any]:
            one = next((one for one in made.results if one.name == name), None) if made else None
            if made is None or one is None or not one.preview.exists():
                raise gr.Error("These results have been deleted; press Enhance again.", print_exception=False)
            return [(made.before, one.preview), one.histogram]

        button.click(
            enhance,
            [upload, names, strength, fail_safe],
            [kept, message, shown, slider, histogram, gallery, downloads],
            concurrency_limit=1,
            show_progress_on=[message],
            api_visibility="private",
        )
        upload.upload(hold, [upload], None, queue=False, show_progress="hidden", api_visibility="private")
        upload.change(None, None, message, js=f"() => {json.dumps(_as_html(_WELCOME))}")
        shown.input(choose_shown, [kept, shown], [slider, histogram], api_visibility="private")
        page.unload(end)
    page.queue(max_size=QUEUED)
    return page


def _remedy(path: str | None, chosen: Sequence[str]) -> str | None:
    """Return what to choose before anything is enhanced, or None."""
    if not chosen:
        return "Choose at least one method."
    if len(chosen) > AT_ONCE:
        return f"Choose up to {AT_ONCE} methods."
    if not path:
        return "Choose a photograph first."
    return None if Path(path).exists() else "The photograph has been deleted; choose it again."


def _show_all(made: Results) -> list[Any]:
    """Return the page's components for the results; the slider shows the first enhanced one."""
    import gradio as gr

    names = [one.name for one in made.results]
    first = next((one for one in made.results if one.download), made.results[0])
    pictures = [(made.before, made.caption), *((one.preview, one.caption) for one in made.results)]
    files = [str(one.download) for one in made.results if one.download]
    return [
        gr.Radio(names, value=first.name, visible=len(names) > 1),
        (made.before, first.preview),
        gr.Image(str(first.histogram), visible=True),
        gr.Gallery(pictures, visible=True),
        gr.File(files or None, visible=bool(files)),
    ]


def _nothing() -> list[Any]:
    """Return the same components, empty."""
    import gradio as gr

    return [
        gr.Radio([], value=None, visible=False),
        None,
        gr.Image(None, visible=False),
        gr.Gallery(None, visible=False),
        gr.File(None, visible=False),
    ]


def _as_html(*sentences: str, refused: bool = False) -> str:
    """Format sentences as HTML that screen readers announce."""
    paragraphs = "".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
    return f'<div role="{"alert" if refused else "status"}"{" class=refused" * refused}>{paragraphs}</div>'
