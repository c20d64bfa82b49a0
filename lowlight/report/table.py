"""Table 1: one row a method, as CSV for machines and as Markdown and LaTeX for readers."""

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lowlight.benchmark.timing import Timing
from lowlight.report.entries import Entry

Cell = str | int | float
"""A value of the table; NaN where there is none."""
Row = dict[str, Cell]

CLASSES = ("accuracy", "precision", "recall", "f1")
CSV_HEAD = ["method", "psnr", "ssim", *(f"exposure/{name}" for name in CLASSES), "channel/accuracy"]
CSV_HEAD += ["parameters", "train_minutes", "ms_per_image"]
"""The columns that every table.csv begins with, in this order."""

DAGGER = "†"

WITH_INTERVAL = ("psnr", "ssim", "psnr_gtmean", "ssim_gtmean", "delta_e")
"""The scores whose bootstrap intervals stand in the table."""

VARIANTS = {
    "psnr_gtmean": ("PSNR GT-mean, dB", 2, False),
    "ssim_gtmean": ("SSIM GT-mean", 3, False),
    "delta_e": ("ΔE 2000", 2, True),
    "psnr_y": ("PSNR Y, dB", 2, False),
    "ssim_uniform7": ("SSIM uniform 7", 3, False),
    "ssim_gray": ("SSIM grey", 3, False),
    "loe": ("LOE", 1, True),
    "niqe": ("NIQE", 2, True),
}
"""Heading, decimals and whether lower is better, of the further scores.

LOE and NIQE crown nobody: an untouched image has the best LOE, and NIQE sees no reference.
"""


@dataclass(frozen=True)
class Column:
    """A column that readers see: where it stands, what heads it and how its values are written."""

    key: str
    heading: str
    group: str = ""
    decimals: int | None = None
    ranked: bool = False
    lower: bool = False

    def text(self, row: Row) -> str:
        """Write the row's value for a reader."""
        value = row[self.key]
        if isinstance(value, str):
            return value
        text = number(value, self.decimals)
        bounds = [row.get(f"{self.key}_{end}", math.nan) for end in ("low", "high")]
        if all(isinstance(bound, float) and math.isfinite(bound) for bound in bounds):
            text += " [" + ", ".join(number(float(bound), self.decimals) for bound in bounds) + "]"
        spread = row.get(f"{self.key}_std", math.nan)
        if isinstance(spread, float) and math.isfinite(spread):
            text += f" ± {number(spread, self.decimals)}"
        return text


def number(value: float, decimals: int | None) -> str:
    """Write a number with so many decimals; with None, to about three digits, whole from 100 on."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if decimals is None:
        decimals = 0 if value == 0 or abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{decimals}f}"


def make_rows(entries: Sequence[Entry], timing: Timing) -> list[Row]:
    """Compute the table; every row has the same keys, in the order of table.csv."""
    more = {key for entry in entries for run in entry.runs for key in run.scores} - set(CSV_HEAD)
    metrics = [f"channel/{name}" for name in CLASSES[1:]]
    metrics += [key for key in VARIANTS if key in more]
    metrics += sorted(more - set(metrics))
    fastest = min(
        (timing.milliseconds[entry.label] for entry in entries if entry.fact("parameters") > 0),
        default=min(timing.milliseconds.values(), default=math.nan),
    )
    rows = []
    for entry in entries:
        row: Row = {"method": entry.label}
        row |= {key: entry.score(key) for key in CSV_HEAD[1:-3]}
        row["parameters"] = _whole(entry.fact("parameters"))
        row["train_minutes"] = entry.fact("train_minutes")
        row["ms_per_image"] = milliseconds = timing.milliseconds.get(entry.label, math.nan)
        row |= {key: entry.score(key) for key in metrics}
        row |= {f"{key}_std": entry.spread(key) for key in ("psnr", "ssim")}
        row["ms_ratio"] = milliseconds / fastest
        row["epochs"] = _whole(entry.fact("epochs"))
        row["stopped"] = "max_time" if entry.capped else entry.first.stopped
        row["n"] = len(entry.runs)
        for key in WITH_INTERVAL:
            row[f"{key}_low"], row[f"{key}_high"] = entry.interval(key)
        rows.append(row)
    return rows


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """List the columns that readers see, those of further metrics included."""
    columns = [Column("method", "Method")]
    columns += [Column("psnr", "PSNR, dB", decimals=2, ranked=True)]
    columns += [Column("ssim", "SSIM", decimals=3, ranked=True)]
    columns += [
        Column(f"{group}/{name}", heading, group.capitalize(), 3, ranked=True)
        for group in ("exposure", "channel")
        for name, heading in zip(CLASSES, ("Acc.", "Prec.", "Recall", "F1"), strict=True)
    ]
    facts = [Column("parameters", "Params", decimals=0), Column("epochs", "Epochs", decimals=0)]
    facts += [Column("train_minutes", "Train, min"), Column("ms_per_image", "Time, ms")]
    facts += [Column("ms_ratio", "Ratio")]
    facts += [Column("n", "Seeds", decimals=0)] if any(row["n"] != 1 for row in rows) else []
    present = rows[0] if rows else {}
    variants = [
        Column(key, heading, decimals=decimals, ranked=key not in ("loe", "niqe"), lower=lower)
        for key, (heading, decimals, lower) in VARIANTS.items()
        if key in present
    ]
    silent = {column.key for column in columns + facts + variants} | {"psnr_std", "ssim_std", "stopped", "n"}
    silent |= {f"{key}_{end}" for key in WITH_INTERVAL for end in ("low", "high")}
    further = [Column(key, key, decimals=3) for key in present if key not in silent]
    return columns + variants + further + facts


def best_texts(rows: Sequence[Row], column: Column) -> set[str]:
    """Return what the best value of a ranked column looks like; empty for other columns and lone rows."""
    values = [
        row for row in rows if isinstance(row[column.key], float) and not math.isnan(_value(row, column))
    ]
    if not column.ranked or len(values) < 2:
        return set()
    best = (min if column.lower else max)(_value(row, column) for row in values)
    shown = number(best, column.decimals)
    return {column.text(row) for row in values if number(_value(row, column), column.decimals) == shown}


def marked(row: Row, column: Column) -> str:
    """Write a cell, with a dagger at the name of a method whose training a time limit ended."""
    capped = column.key == "method" and row["stopped"] == "max_time"
    return column.text(row) + (DAGGER if capped else "")


def footnotes(entries: Sequence[Entry], timing: Timing) -> list[str]:
    """Say what the table's marks, times and averages mean."""
    notes = []
    for entry in entries:
        capped = [run.manifest for run in entry.runs if run.stopped == "max_time"]
        if capped:
            reached = ", ".join(f"{run.get('epochs', '?')} of {run.get('max_epochs', '?')}" for run in capped)
            notes.append(
                f"{DAGGER} {entry.label}: training was stopped by its time limit after {reached} epochs."
            )
    notes.append(timing.describe())
    notes.append("Brackets: 95 % bootstrap over scenes of the mean over images.")
    learns = " that learns" if any(entry.fact("parameters") > 0 for entry in entries) else ""
    notes.append(f"Ratio is that time over the time of the fastest method{learns}.")
    if any(len(entry.runs) > 1 for entry in entries):
        notes.append("Rows of several seeds are means over runs, ± the sample standard deviation.")
    return notes


def to_csv(rows: Sequence[Row]) -> str:
    """Write every column, numbers plain: "inf" for infinity, nothing where there is no value."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(rows[0])
    for row in rows:
        writer.writerow([_plain(value) for value in row.values()])
    return file.getvalue()


def to_markdown(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Write the table as Markdown, best values bold, figures to the right."""
    columns = columns_of(rows)
    heads = [f"{column.group} {column.heading}".strip() for column in columns]
    lines = ["| " + " | ".join(escape_markdown(head) for head in heads) + " |"]
    lines.append("|" + "|".join(":--" if column.key == "method" else "--:" for column in columns) + "|")
    cells = _cells(rows, columns, escape_markdown, lambda text: f"**{text}**")
    lines += ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([*lines, "", *(escape_markdown(note) + "  " for note in notes)]) + "\n"


def to_latex(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Write the table as LaTeX (needs the package booktabs), best values bold."""
    columns = columns_of(rows)
    heads, groups, rules = [], [], []
    for index, column in enumerate(columns):
        heads.append(escape_latex(column.heading))
        if column.group and column.group != columns[index - 1].group:
            span = sum(other.group == column.group for other in columns)
            groups.append(rf"\multicolumn{{{span}}}{{c}}{{{escape_latex(column.group)}}}")
            rules.append(rf"\cmidrule(lr){{{index + 1}-{index + span}}}")
        elif not column.group:
            groups.append("")
    cells = _cells(rows, columns, escape_latex, lambda text: rf"\textbf{{{text}}}")
    body = [" & ".join(row) + r" \\" for row in cells]
    return "\n".join(
        [
            "% \\usepackage{booktabs}",
            rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
            r"\toprule",
            " & ".join(groups) + r" \\",
            "".join(rules),
            " & ".join(heads) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            *(rf"\par\footnotesize {escape_latex(note)}" for note in notes),
            "",
        ]
    )


def escape_markdown(text: str) -> str:
    """Escape what Markdown, or the HTML inside it, would read as markup."""
    text = re.sub(r"([\\`*_{}\[\]|#~])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")


def escape_latex(text: str) -> str:
    """Escape what LaTeX would read as a command."""
    special = {char: rf"\{char}" for char in "&%$#_{}"}
    special |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}", "†": r"\dag{}", "±": r"$\pm$", "×": r"$\times$"}
    special |= {"∞": r"$\infty$", "−": "$-$", "–": "--", "\n": " "}
    return "".join(special.get(char, char) for char in text)


def _cells(
    rows: Sequence[Row], columns: Sequence[Column], escape: Callable[[str], str], bold: Callable[[str], str]
) -> list[list[str]]:
    """Write all cells in a markup."""
    best = {column.key: best_texts(rows, column) for column in columns}
    return [
        [
            bold(escape(marked(row, column)))
            if column.text(row) in best[column.key]
            else escape(marked(row, column))
            for column in columns
        ]
        for row in rows
    ]


def _value(row: Row, column: Column) -> float:
    """Return a row's number."""
    return float(row[column.key])


def _whole(value: float) -> int | float:
    """Return a count as an integer where it is one; a mean over runs may not be."""
    return int(value) if value.is_integer() else value


def _plain(value: Cell) -> str:
    """Write a value for a machine, floats to six digits."""
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.6g}"
