"""Compare finished runs: read and time them, and write the report."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from lowlight.benchmark.timing import Timing, time_methods
from lowlight.checkpoints.load import load_run
from lowlight.files import check_folder, whole
from lowlight.images import from_uint8
from lowlight.report.entries import Entry, gather
from lowlight.report.figures import CURVE_FIGURES, DARK, LIGHT, draw_curves, draw_strips
from lowlight.report.findings import Verdict, notes_on_pairs
from lowlight.report.page import GENERATOR, Report, render
from lowlight.report.page_pictures import Drawing
from lowlight.report.pictures import (
    MOST_TEST_PICTURES,
    extremes,
    first_low,
    grid_of_test_pictures,
    strips_of_progress,
)
from lowlight.report.runs import read_runs
from lowlight.report.score_figures import DISTRIBUTION, TRADEOFF, draw_distribution, draw_tradeoff
from lowlight.report.table import Row, footnotes, make_rows, to_csv, to_latex, to_markdown
from lowlight.runtimes.runtime import torch_device
from lowlight.runtimes.torch_enhancer import to_device
from lowlight.sweeps.summary import expand

PAGE = "index.html"
TABLES = ("table.csv", "table.md", "table.tex")
PICTURES, PROGRESS = "pictures.png", "progress.png"
SCORES = ((DISTRIBUTION, draw_distribution), (TRADEOFF, draw_tradeoff))
FIGURES = (*(figure.file for figure in CURVE_FIGURES), *(title.file for title, _ in SCORES))
FILES = (PAGE, *TABLES, *FIGURES, PICTURES, PROGRESS)
"""All files that a report may consist of."""

UNFINISHED = ".unfinished-report"
"""Name of the marker file in a folder to which a report is being written."""

LOL_SIZE = (400, 600)
"""Height and width, in pixels, of the image to time if no run kept a picture."""


def compare(
    runs: Sequence[Path | str],
    out: Path | str,
    *,
    pictures: bool = True,
    device: str = "cpu",
    trust: Sequence[str] = (),
    judge: Callable[[Sequence[Entry]], Sequence[Verdict]] = lambda _: (),
    show: Callable[[Sequence[Row], Sequence[str]], object] | None = None,
) -> Path:
    """Write the report on finished runs: page, tables and figures.

    Args:
        runs: Run folders; runs that differ only in the seed become one row.
        out: Output folder; a report in it is replaced.
        pictures: Whether to show the photographs that the runs kept.
        device: Device on which the methods are timed: ``cpu``, ``cuda``, any other of torch's, or ``auto``.
        trust: Packages beyond torch and lowlight that the checkpoints may call, such as ``["mypackage."]``.
        judge: Returns verdicts for the page, given the entries, best first; by default none. The command
            passes those on the published study's claims, :func:`lowlight.report.study_claims.judge`.
        show: Called with the table's rows and its notes once the report is written, such as to print them.

    Returns:
        Path of the page, ``out/index.html``.

    Raises:
        ValueError: If a run is missing, unfinished, or scored on other images than the first one, or if
            ``out`` holds files of the same names that are not from a report.
    """
    out = Path(out)
    _check_out(out)
    entries = gather(read_runs(expand([Path(run) for run in runs])))
    timing = _time(entries, device, trust)
    rows = make_rows(entries, timing)
    notes = footnotes(entries, timing)
    drawings = _draw(entries, rows)
    grid = grid_of_test_pictures(entries) if pictures else []
    progress = strips_of_progress(entries) if pictures else []
    ends = extremes(entries, grid)
    verdicts = judge(entries)
    page = Report(entries, rows, notes, drawings, grid, progress, ends, verdicts)
    files = {PAGE: render(page).encode()}
    notes = [*notes, *notes_on_pairs(entries)]
    tables = (to_csv(rows), to_markdown(rows, notes), to_latex(rows, notes))
    files |= {name: text.encode() for name, text in zip(TABLES, tables, strict=True)}
    files |= {drawing.file: drawing.light for drawing in drawings}
    files |= {
        name: draw_strips(strips)
        for name, strips in ((PICTURES, grid[:MOST_TEST_PICTURES]), (PROGRESS, progress))
        if strips
    }
    _write(files, out)
    if show:
        show(rows, notes)
    return out / PAGE


def _time(entries: Sequence[Entry], device: str, trust: Sequence[str]) -> Timing:
    """Time the first run of each entry on a kept test picture, or on noise of LOL's size."""
    pixels = first_low(entries)
    low = torch.rand(3, *LOL_SIZE) * 0.1 if pixels is None else from_uint8(pixels)
    methods = {
        entry.label: to_device(load_run(entry.first.folder, trust=trust), device).enhance
        for entry in entries
        if "predictions" not in entry.first.manifest  # saved images cannot be timed
    }
    return time_methods(methods, low[None].to(torch_device(device) if methods else "cpu"))


def _draw(entries: Sequence[Entry], rows: Sequence[Row]) -> list[Drawing]:
    """Draw the figures of scores, if there are several entries, and those of the logged curves."""
    drawings = []
    if len(entries) > 1:
        for about, draw in SCORES:
            light, dark = (draw(entries, rows, theme) for theme in (LIGHT, DARK))
            drawings.append(Drawing(about.file, about.title, about.describe(entries), light, dark))
    for figure in CURVE_FIGURES:
        chosen = figure.entries(entries)
        if chosen:
            light, dark = (draw_curves(figure, chosen, theme) for theme in (LIGHT, DARK))
            drawings.append(Drawing(figure.file, figure.title, figure.describe(chosen), light, dark))
    return drawings


def _check_out(out: Path) -> None:
    """Refuse a folder in which another program's files would be overwritten."""
    check_folder(out)
    page = out / PAGE
    if page.is_file() and GENERATOR in page.read_text(encoding="utf-8", errors="replace")[:2000]:
        return
    foreign = [name for name in FILES if (out / name).exists()]
    if foreign and not (out / UNFINISHED).exists():
        raise ValueError(
            f"{out}: holds {', '.join(foreign)}, not written by lowlight compare; give another --out"
        )


def _write(files: Mapping[str, bytes], out: Path) -> None:
    """Write each file atomically, and remove the remaining files of an older report.

    The page is written last, so that a page means a complete report; until then a marker file identifies the
    folder as a report's.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / UNFINISHED).touch()
    for name in reversed(FILES):
        if name in files:
            with whole(out / name) as partial:
                partial.write_bytes(files[name])
        else:
            (out / name).unlink(missing_ok=True)
    (out / UNFINISHED).unlink()
