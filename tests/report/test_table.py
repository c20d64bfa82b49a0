"""The table of scores: values, columns, ranks and escaping."""

import csv
import math
from pathlib import Path

import pytest

from lowlight.benchmark.timing import Timing
from lowlight.files import write_table
from lowlight.metrics import METRICS, Metric
from lowlight.report import table
from lowlight.report.entries import gather
from lowlight.report.page_tables import score_tables
from lowlight.report.runs import read_run, read_runs
from lowlight.report.table import (
    Row,
    best_texts,
    columns_of,
    escape_latex,
    escape_markdown,
    footnotes,
    make_rows,
    number,
    to_csv,
    to_markdown,
)
from tests.report.fake_runs import write_run

pytestmark = pytest.mark.xdist_group("report")
PROMISED = (
    "method,psnr,ssim,exposure/accuracy,exposure/precision,exposure/recall,exposure/f1,channel/accuracy,"
    "parameters,train_minutes,ms_per_image"
)


def _timing(**milliseconds: float) -> Timing:
    return Timing(milliseconds, rounds=3, shape=(1, 3, 64, 96), threads=1, device="cpu")


def test_csv_begins_with_the_promised_columns_and_holds_plain_numbers(report: Path) -> None:
    text = (report / "table.csv").read_text()
    assert text.startswith(PROMISED + ",")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["method"] for row in rows] == ["mirnet", "autoencoder", "gan_<b>&$x_", "identity"]
    mirnet, autoencoder, _, identity = rows
    assert float(mirnet["psnr"]) == 21.5
    assert float(mirnet["ssim"]) == pytest.approx(21.5 / 30, abs=1e-5)
    assert float(mirnet["exposure/f1"]) == pytest.approx(0.7 + 21.5 / 200)
    assert float(mirnet["channel/accuracy"]) == pytest.approx(0.5 + 21.5 / 200)
    assert mirnet["parameters"] == "31787419"
    assert float(mirnet["train_minutes"]) == 5
    assert float(mirnet["ms_per_image"]) > 0
    assert (mirnet["n"], mirnet["epochs"], mirnet["stopped"]) == ("2", "20", "finished")
    assert float(mirnet["psnr_std"]) == pytest.approx(math.sqrt(0.5), abs=1e-5)
    assert autoencoder["stopped"] == "max_time"
    assert (identity["parameters"], identity["psnr_std"], identity["n"]) == ("0", "", "1")


def test_the_ratio_is_to_the_fastest_method_that_learns(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", "slow", psnr=20.0),
        write_run(tmp_path / "b", "fast", psnr=19.0),
        write_run(tmp_path / "c", "none", psnr=8.0, epochs=0),
    ]
    rows = make_rows(gather(read_runs(runs)), _timing(slow=50.0, fast=20.0, none=2.0))
    assert [row["ms_ratio"] for row in rows] == [2.5, 1.0, 0.1]


@pytest.mark.parametrize(("epochs", "said"), [(20, "fastest method that learns."), (0, "fastest method.")])
def test_the_ratio_says_what_it_is_to(tmp_path: Path, epochs: int, said: str) -> None:
    entries = gather(read_runs([write_run(tmp_path / "a", "only", epochs=epochs)]))
    assert any(note.endswith(said) for note in footnotes(entries, _timing(only=1.0)))


def test_infinite_and_missing_values_are_written(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", "perfect", psnr=math.inf, metrics={"test/extra": 0.25})
    other = write_run(tmp_path / "b", "other", psnr=20.0)
    entries = gather(read_runs([folder, other]))
    rows = make_rows(entries, _timing(perfect=1.0, other=1.0))
    lines = list(csv.DictReader(to_csv(rows).splitlines()))
    assert (lines[0]["psnr"], lines[0]["extra"], lines[1]["extra"]) == ("inf", "0.25", "")
    markdown = to_markdown(rows, footnotes(entries, _timing(perfect=1.0, other=1.0)))
    assert "| perfect | **∞** |" in markdown
    assert "| extra |" in markdown
    assert "| – |" in markdown


def test_a_name_that_a_spreadsheet_would_run_is_written_as_text_and_read_back(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", "=1+1", epochs=0)
    names = ["=HYPERLINK(0)", "@a", "-1"]
    write_table(folder / "per_image.csv", [{"name": name, "psnr": -0.5} for name in names])
    run = read_run(folder)
    assert run.per_image == {name: {"psnr": -0.5} for name in names}
    rows = make_rows(gather([run]), Timing({}, rounds=3, shape=(1, 3, 64, 96), threads=1, device="cpu"))
    assert to_csv(rows).splitlines()[1].startswith("'=1+1,21,")


def test_a_metric_of_the_list_needs_no_other_line_in_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = Metric(
        "new", "New", lambda enhanced, high: (enhanced - high).flatten(1).mean(1), "a new error", "nowhere",
        1, unit="px", lower_is_better=True, interval=True,
    )  # fmt: skip
    monkeypatch.setattr(table, "METRICS", (*METRICS, new))
    folders = [
        write_run(tmp_path / name, name, metrics={"test/new": value})
        for name, value in (("near", 2.04), ("far", 30.0))
    ]
    rows = make_rows(gather(read_runs(folders)), _timing(near=1.0, far=1.0))
    (column,) = [column for column in columns_of(rows) if column.key == "new"]
    assert (column.heading, column.decimals) == ("New, px", 1)
    assert best_texts(rows, column) == {"2.0"}
    assert {"new_low", "new_high"} < set(rows[0])


def test_the_main_scores_of_each_of_several_sets_have_a_table_of_their_own(tmp_path: Path) -> None:
    scores = {"test/LOL/psnr": 22.0, "test/LOL/psnr_y": 24.0, "test/bright/psnr": 18.0, "test/mine": 1.0}
    folders = [write_run(tmp_path / name, name, metrics=scores) for name in ("a", "b")]
    rows = make_rows(gather(read_runs(folders)), _timing(a=1.0, b=1.0))
    titles = {
        one.title: [(column.group, column.heading) for column in one.columns] for one in score_tables(rows)
    }
    assert titles["Scores of each set"][1:] == [("LOL", "PSNR, dB"), ("bright", "PSNR, dB")]
    assert titles["The same outputs under other definitions"][1:] == [("", "mine")]
    assert ("LOL", "PSNR, dB") not in titles["Pixels as samples of a classification"]
    assert "| LOL PSNR, dB | bright PSNR, dB |" in to_markdown(rows, [])


def test_the_best_value_is_bold_ties_as_shown_included() -> None:
    def row(psnr: float) -> Row:
        keys = ["method", "psnr", "ssim", "parameters", "epochs", "train_minutes", "ms_per_image", "ms_ratio"]
        groups = [
            f"{g}/{n}" for g in ("exposure", "channel") for n in ("accuracy", "precision", "recall", "f1")
        ]
        return dict.fromkeys([*keys, *groups], math.nan) | {
            "method": "m",
            "psnr": psnr,
            "n": 1,
            "stopped": "",
        }

    rows = [row(20.001), row(20.004), row(19.0)]
    psnr, ssim = columns_of(rows)[1:3]
    assert best_texts(rows, psnr) == {"20.00"}
    assert best_texts(rows, ssim) == set()
    assert best_texts(rows[:1], psnr) == set()


def test_markdown_and_latex_mark_capped_runs_and_escape_names(report: Path) -> None:
    markdown, latex = ((report / name).read_text() for name in ("table.md", "table.tex"))
    assert "| autoencoder† |" in markdown
    assert "† autoencoder: training was stopped by its time limit after 20 of 40 epochs." in markdown
    assert r"| gan\_&lt;b&gt;&amp;$x\_ |" in markdown
    assert r"**21.50 \[21.50, 21.50\] ± 0.71**" in markdown
    assert r"autoencoder\dag{} &" in latex
    assert r"gan\_\textless{}b\textgreater{}\&\$x\_ &" in latex
    assert r"\textbf{21.50 [21.50, 21.50] $\pm$ 0.71}" in latex
    assert "31,787,419" in latex
    widths = {
        line.count(" & ") for line in latex.splitlines() if line.endswith(r"\\") and "multicolumn" not in line
    }
    assert len(widths) == 1


def test_escaping_leaves_no_markup() -> None:
    assert escape_markdown("a_b|c*d`<e>&") == r"a\_b\|c\*d\`&lt;e&gt;&amp;"
    assert escape_latex("50% of {x}_1 & \\y ~ ^") == (
        r"50\% of \{x\}\_1 \& \textbackslash{}y \textasciitilde{} \textasciicircum{}"
    )


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (31787419.0, 0, "31,787,419"),
        (0.0, None, "0"),
        (1.234, None, "1.23"),
        (12.34, None, "12.3"),
        (4512.3, None, "4,512"),
        (-math.inf, 2, "−∞"),
        (math.nan, 2, "–"),
    ],
)
def test_numbers_are_written_for_readers(value: float, decimals: int | None, text: str) -> None:
    assert number(value, decimals) == text
