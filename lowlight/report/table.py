"""The table of scores: one row per method, as CSV for machines and as Markdown and LaTeX for readers."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from lowlight.benchmark.timing import Timing
from lowlight.files import to_csv as as_csv
from lowlight.metrics import METRICS, OPTIONAL, Metric
from lowlight.metrics.pixel_classes import EXPOSURE
from lowlight.report.entries import Entry

Cell = str | int | float
"""Value of the table; NaN if missing."""

Row = dict[str, Cell]
"""One row of table.csv by column name."""

CSV_HEAD = [
    "method",
    "psnr",
    "ssim",
    *EXPOSURE.keys,
    "channel/accuracy",
    "parameters",
    "train_minutes",
    "ms_per_image",
]
"""First columns of every table.csv, in this order; other tools read them."""

WITH_SPREAD = ("psnr", "ssim")
"""Scores whose standard deviation over the seeds is shown."""

DAGGER = "†"


@dataclass(frozen=True)
class Column:
    """A column for readers.

    Attributes:
        key: Name of the column in table.csv.
        heading: Its heading, with the unit.
        group: Heading shared with neighbouring columns; empty for none.
        decimals: Decimal places; None for about three digits.
        ranked: Whether the best value is highlighted.
        lower: Whether the lowest value is the best.
        main: Whether it belongs to the first table of the page.
        apart: Whether it holds the scores of one of several sets, named by ``group``.
    """

    key: str
    heading: str
    group: str = ""
    decimals: int | None = None
    ranked: bool = False
    lower: bool = False
    main: bool = False
    apart: bool = False

    def text(self, row: Row) -> str:
        """Format the row's value, with its interval and spread where the row has them."""
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
    """Format a number with ``decimals`` places; None means about three digits, whole from 100 on."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if decimals is None:
        decimals = 0 if value == 0 or abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{decimals}f}"


def make_rows(entries: Sequence[Entry], timing: Timing) -> list[Row]:
    """Compute the table; every row has the same keys, in the order of table.csv."""
    measured = {key for entry in entries for run in entry.runs for key in run.scores}
    known = [column.key for column in _known_columns() if column.key in measured]
    further = [key for key in [*known, *sorted(measured - set(known))] if key not in CSV_HEAD]
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
        row |= {key: entry.score(key) for key in further}
        row |= {f"{key}_std": entry.spread(key) for key in WITH_SPREAD}
        row["ms_ratio"] = milliseconds / fastest
        row["epochs"] = _whole(entry.fact("epochs"))
        row["stopped"] = "max_time" if entry.capped else entry.first.stopped
        row["n"] = len(entry.runs)
        for key in _with_interval():
            row[f"{key}_low"], row[f"{key}_high"] = entry.interval(key)
        rows.append(row)
    return rows


def metric_columns(metrics: Iterable[Metric]) -> list[Column]:
    """Return a column per key of the metrics' values."""
    return [
        Column(
            key,
            heading,
            metric.heading if metric.parts else "",
            metric.decimals,
            metric.ranked,
            metric.lower_is_better,
            metric.main,
        )
        for metric in metrics
        for key, heading in metric.headings.items()
    ]


def _known_columns() -> list[Column]:
    """Return the columns of all metrics, first those of :data:`CSV_HEAD`, then those with an interval."""

    def rank(metric: Metric) -> int:
        return 0 if set(metric.keys) & set(CSV_HEAD) else 1 if metric.interval else 2

    return metric_columns(sorted((*METRICS, *OPTIONAL), key=rank))


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """List the columns for readers: known metrics, then unknown ones by name, then facts of the run.

    Of the scores of each of several sets, only those of the first table are listed.
    """
    known = _known_columns()
    metrics = [column for column in known if column.key in rows[0]]
    facts = [
        Column("parameters", "Params", decimals=0, main=True),
        Column("epochs", "Epochs", decimals=0),
        Column("train_minutes", "Train, min", main=True),
        Column("ms_per_image", "Time, ms", main=True),
        Column("ms_ratio", "Ratio", main=True),
    ]
    if any(row["n"] != 1 for row in rows):
        facts.append(Column("n", "Seeds", decimals=0, main=True))
    silent = {"method", "stopped", "n", *(column.key for column in metrics + facts)}
    silent |= {f"{key}_std" for key in WITH_SPREAD}
    silent |= {f"{key}_{end}" for key in _with_interval() for end in ("low", "high")}
    ends = {column.key for column in known}
    of_sets = [key for key in rows[0] if key.partition("/")[2] in ends]
    sets = dict.fromkeys(key.partition("/")[0] for key in of_sets)
    apart = [
        replace(column, key=f"{name}/{column.key}", group=name, main=False, apart=True)
        for name in sets
        for column in metrics
        if column.main and f"{name}/{column.key}" in of_sets
    ]
    silent |= {*of_sets}
    unknown = [Column(key, key, decimals=3) for key in rows[0] if key not in silent]
    return [Column("method", "Method"), *metrics, *apart, *unknown, *facts]


def _with_interval() -> list[str]:
    return [key for metric in (*METRICS, *OPTIONAL) if metric.interval for key in metric.keys]


def best_texts(rows: Sequence[Row], column: Column) -> set[str]:
    """Return the texts of the best value of a ranked column; empty for other columns and for a single row."""
    values = [
        row for row in rows if isinstance(row[column.key], float) and not math.isnan(_value(row, column))
    ]
    if not column.ranked or len(values) < 2:
        return set()
    best = (min if column.lower else max)(_value(row, column) for row in values)
    shown = number(best, column.decimals)
    return {column.text(row) for row in values if number(_value(row, column), column.decimals) == shown}


def marked(row: Row, column: Column) -> str:
    """Format a cell; a method whose training hit its time limit gets a dagger."""
    capped = column.key == "method" and row["stopped"] == "max_time"
    return column.text(row) + (DAGGER if capped else "")


def footnotes(entries: Sequence[Entry], timing: Timing) -> list[str]:
    """Explain the table's marks, times and averages, one sentence each."""
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
    """Write every column with plain numbers: "inf" for infinity, an empty cell for a missing value."""
    return as_csv([rows[0], *([_plain(value) for value in row.values()] for row in rows)])


def to_markdown(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Write the table as Markdown, best values bold, numbers right-aligned."""
    columns = columns_of(rows)
    heads = [f"{column.group} {column.heading}".strip() for column in columns]
    lines = ["| " + " | ".join(escape_markdown(head) for head in heads) + " |"]
    lines.append("|" + "|".join(":--" if column.key == "method" else "--:" for column in columns) + "|")
    cells = _cells(rows, columns, escape_markdown, lambda text: f"**{text}**")
    lines += ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([*lines, "", *(escape_markdown(note) + "  " for note in notes)]) + "\n"


def to_latex(rows: Sequence[Row], notes: Sequence[str]) -> str:
    """Write the table as LaTeX (requires the package booktabs), best values bold."""
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
    """Escape the markup characters of Markdown and HTML."""
    text = re.sub(r"([\\`*_{}\[\]|#~])", r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")


def escape_latex(text: str) -> str:
    """Escape the special characters of LaTeX."""
    special = {char: rf"\{char}" for char in "&%$#_{}"}
    special |= {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    special |= {"<": r"\textless{}", ">": r"\textgreater{}", "†": r"\dag{}", "±": r"$\pm$", "×": r"$\times$"}
    special |= {"∞": r"$\infty$", "Δ": r"$\Delta$", "−": "$-$", "–": "--", "\n": " "}
    return "".join(special.get(char, char) for char in text)


def _cells(
    rows: Sequence[Row], columns: Sequence[Column], escape: Callable[[str], str], bold: Callable[[str], str]
) -> list[list[str]]:
    """Write all cells in a markup language, given how it escapes text and sets it bold."""
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
    """Return a whole number as an integer; a mean over runs may not be whole."""
    return int(value) if value.is_integer() else value


def _plain(value: Cell) -> str:
    """Format a value for machines, floats with six significant digits."""
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.6g}"
