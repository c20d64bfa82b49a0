"""The web page that enhances photographs, built with Gradio."""

import asyncio
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lowlight.demo.batch import MOST_PHOTOGRAPHS, MOST_RESULTS, Batch, adjust_batch, enhance_batch
from lowlight.demo.examples import write_examples
from lowlight.demo.sliders import lay_out_sliders, with_sliders
from lowlight.demo.store import KEPT, Store
from lowlight.demo.view import as_html, hide, lay_out_files, lay_out_results, show
from lowlight.inference.models import DEFAULT
from lowlight.inference.settings import Settings
from lowlight.runtimes.enhancer import Enhancer
from lowlight.serving.guard import Guard
from lowlight.serving.messages import reason_of
from lowlight.serving.models import find_models, loader
from lowlight.shipped import shipped

METHODS_AT_ONCE = 6
"""Greatest number of methods per photograph."""
TOGETHER = 4
"""Greatest size of all photographs at once, in files of the largest size."""
QUEUED = 100
"""Greatest number of jobs that wait to be done."""
_WELCOME = "Choose photographs or an example, then press Enhance."
_UPLOADS = 50  # of the largest size, that are kept
_CLEANING = (600, KEPT)  # seconds between two cleanings, and from which age files are deleted


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
        max_upload: Largest file in bytes.
        max_pixels: Largest photograph in pixels.
        trust: Packages beyond torch and lowlight that the checkpoints may use.
        allow_hosts: Further names under which the page is reached, such as a proxy's.
        announce: Called with the page's address once it can be opened.

    Raises:
        ValueError: If Gradio is missing, the folder holds no model, or the address is not available.
    """
    models = find_models(runs)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        tempfile.TemporaryDirectory(prefix="lowlight-demo-") as folder,
        tempfile.TemporaryDirectory(prefix="lowlight-examples-") as examples,
    ):
        # Gradio reads these on import.
        os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
        os.environ["NO_PROXY"] = "*"  # keeps its health check of its own server off a proxy
        settings = Settings(max_pixels=max_pixels)
        store = Store(Path(folder), _UPLOADS * max_upload)
        load = loader(models, trust=trust)
        page = build(models, load, settings, max_upload, store, write_examples(Path(examples)))
        try:
            _launch(page, host, port, max_upload, store, allow_hosts)
        except OSError:
            raise ValueError(f"cannot listen on {host}, port {port}; give another --port or --host") from None
        try:
            announce(page.local_url)
            while True:
                time.sleep(_CLEANING[0])
                store.sweep()
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

    guard = Middleware(Guard, host, allow_hosts, TOGETHER * max_upload, sweep)
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
        css=Path(__file__).with_name("page.css").read_text(encoding="utf-8"),
        theme=Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    )


def build(
    models: dict[str, Path | None],
    load: Callable[[str], Enhancer],
    settings: Settings,
    max_upload: int,
    store: Store,
    examples: Sequence[Path] = (),
) -> Any:
    """Lay out the page and connect its components.

    Args:
        models: Models to choose from; see :func:`lowlight.serving.models.find_models`.
        load: Loads a model by name.
        settings: Its ``max_pixels`` limits the size of photographs.
        max_upload: Largest file in bytes, as the page states it.
        store: The temporary files.
        examples: Photographs to try, outside the store.

    Returns:
        A ``gradio.Blocks``, ready to launch.

    Raises:
        ValueError: If Gradio is missing.
    """
    try:
        import gradio as gr
    except ImportError:
        raise ValueError("the page needs: pip install 'lowlight[demo]'") from None

    gr.set_static_paths([*examples])  # else Gradio would move them into the store
    with gr.Blocks(title="lowlight", analytics_enabled=False, delete_cache=_CLEANING) as page:
        gr.Markdown("# lowlight\nDark photograph in, well-exposed photograph out.")
        kept = gr.State(Batch({}), time_to_live=_CLEANING[1])
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                upload = gr.File(label="Photographs", file_count="multiple", elem_id="upload", height=160)
                each = f"{max_upload / 2**20:.3g} MB and {settings.max_pixels / 1e6:g} megapixels each"
                together = f"{TOGETHER * max_upload / 2**20:.3g} MB together"
                example = "\n\nOr try an example:" if examples else ""
                gr.Markdown(f"Up to {MOST_PHOTOGRAPHS} photographs of {each}, {together}.{example}")
                tried = gr.Gallery(
                    [(path, path.stem) for path in examples],
                    label="Examples",
                    show_label=False,
                    elem_id="examples",
                    height="auto",
                    allow_preview=False,
                    visible=bool(examples),
                    buttons=[],
                )
                names = gr.Dropdown(
                    [(_label(name, path), name) for name, path in models.items()],
                    value=[DEFAULT, *[name for name, path in models.items() if path][:1]],
                    multiselect=True,
                    max_choices=METHODS_AT_ONCE,
                    label="Methods",
                    info=f"Up to {METHODS_AT_ONCE}, compared side by side.",
                    elem_id="methods",
                )
                sliders = lay_out_sliders()
                fail_safe = gr.Checkbox(
                    True,
                    label="Fail-safe",
                    info="Keep the original if it is bright already or the result is unusable.",
                )
                button = gr.Button("Enhance", variant="primary", elem_id="enhance")
            with gr.Column(scale=2, min_width=280):
                message = gr.HTML(as_html(_WELCOME), elem_id="message")
                photograph, shown, slider, write, *compared = lay_out_results()
        view = [photograph, shown, slider, write, *compared, *lay_out_files()]

        def enhance(
            request: gr.Request, paths: list[str] | None, chosen: list[str], safe: bool, *values: float
        ) -> Iterator[list[Any]]:
            sources = [Path(path) for path in dict.fromkeys(paths or [])]
            chosen = list(dict.fromkeys(chosen or []))
            if remedy := _remedy(sources, chosen, TOGETHER * max_upload):
                yield [Batch({}), as_html(remedy, refused=True), *hide()]
                return
            yield [Batch({}), as_html("Enhancing …"), *hide()]
            session, batch = str(request.session_hash), Batch({})
            for source in sources:
                store.hold(session, source)
            try:
                made_with = with_sliders(replace(settings, fail_safe=safe), values)
                for batch in enhance_batch(sources, chosen, load, made_with, store.new_results(session)):
                    if batch.doing:
                        yield [gr.skip(), as_html(batch.doing), *[gr.skip()] * len(view)]
            finally:
                store.sweep()
            is_made = any(made.results for made in batch.results.values())
            said = as_html(*batch.remarks or ("Done.",), refused=not is_made)
            yield [batch, said, *(show(batch) if is_made else hide())]

        def look(batch: Batch, name: str | None, method: str | None, *values: float) -> list[Any]:
            if name is None:  # nothing is on show
                return [gr.skip()] * len(view)
            return show(batch, name, method, with_sliders(batch.settings, values))

        def adjust(batch: Batch, name: str | None, method: str | None, *values: float) -> list[Any]:
            return look(batch, name, method, *values)[2:]

        def write_anew(
            batch: Batch, name: str | None, method: str | None, *values: float
        ) -> Iterator[list[Any]]:
            made = batch
            try:
                for made in adjust_batch(batch, with_sliders(batch.settings, values)):
                    if made.doing:
                        yield [gr.skip(), as_html(made.doing), *[gr.skip()] * len(view)]
                yield [made, as_html("Done."), *show(made, name, method)]
            except FileNotFoundError:
                gone = "The photograph or its results have been deleted; choose it again."
                yield [Batch({}), as_html(gone, refused=True), *hide()]
            except (OSError, ValueError, MemoryError) as error:
                told = f"The files are as before: {reason_of(error, store.folder).rstrip('.')}."
                yield [gr.skip(), as_html(told, refused=True), *[gr.skip()] * len(view)]
            finally:
                store.sweep()

        def hold(paths: list[str] | None, request: gr.Request) -> None:
            for path in (paths or [])[-MOST_PHOTOGRAPHS:]:
                store.hold(str(request.session_hash), Path(path))

        def end(request: gr.Request) -> None:
            store.drop(str(request.session_hash))

        def choose_example(event: gr.SelectData) -> list[Any]:
            return [[str(examples[event.index])], gr.Gallery(selected_index=None)]

        chosen_now = [kept, photograph, shown, *sliders]
        made = button.click(
            enhance,
            [upload, names, fail_safe, *sliders],
            [kept, message, *view],
            concurrency_limit=1,
            show_progress_on=[message],
            api_visibility="private",
        )
        upload.upload(hold, [upload], None, queue=False, show_progress="hidden", api_visibility="private")
        upload.change(None, None, message, js=f"() => {json.dumps(as_html(_WELCOME))}")
        tried.select(choose_example, None, [upload, tried], show_progress="hidden", api_visibility="private")
        for choice in (photograph, shown):
            choice.input(look, chosen_now, view, show_progress="hidden", api_visibility="private")
        for one in sliders:
            one.change(
                adjust,
                chosen_now,
                view[2:],
                trigger_mode="always_last",
                concurrency_id="adjust",
                show_progress="hidden",
                api_visibility="private",
            )
        written = write.click(
            write_anew,
            chosen_now,
            [kept, message, *view],
            concurrency_limit=1,
            show_progress_on=[message],
            api_visibility="private",
        )
        for one in (made, written):  # what was chosen meanwhile counts
            one.then(look, chosen_now, view, show_progress="hidden", api_visibility="private")
        page.unload(end)
    page.queue(max_size=QUEUED)
    return page


def _label(name: str, path: Path | None) -> str:
    """Return how the list of methods names a model."""
    return f"{name} (comes with lowlight)" if path is None and name in shipped() else name


def _remedy(sources: Sequence[Path], chosen: Sequence[str], together: int) -> str | None:
    """Return what to choose before anything is enhanced, or None.

    Args:
        sources: Uploaded files.
        chosen: Names of the methods.
        together: Greatest size of all files in bytes.
    """
    if not chosen:
        return "Choose at least one method."
    if len(chosen) > METHODS_AT_ONCE:
        return f"Choose up to {METHODS_AT_ONCE} methods."
    if not sources:
        return "Choose a photograph first."
    if len(sources) > MOST_PHOTOGRAPHS:
        return f"Choose up to {MOST_PHOTOGRAPHS} photographs, not {len(sources)}."
    results = len(sources) * len(chosen)
    if results > MOST_RESULTS:
        what = f"{len(sources)} photographs by {len(chosen)} methods are {results} results"
        return f"{what}; up to {MOST_RESULTS} are made at once: choose fewer."
    if not all(source.exists() for source in sources):
        gone = "The photograph has" if len(sources) == 1 else "Some of the photographs have"
        return f"{gone} been deleted; choose {'it' if len(sources) == 1 else 'them'} again."
    if sum(source.stat().st_size for source in sources) > together:
        return f"Choose photographs of up to {together / 2**20:.3g} MB together."
    return None
