"""Figures of an evaluation as tables, for a terminal or a model card."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faceattr.arguments import explained
from faceattr.evaluation.evaluate import Evaluation
from faceattr.evaluation.metrics import ClassificationReport, EstimateReport, Interval, Report

FEWEST_ROWS = 5  # for which an interval is shown


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows of text.

    Attributes:
        title: What the table shows.
        header: Names of C columns; the first column names the rows.
        rows: Rows of C cells.
        notes: Sentences that explain columns.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def to_markdown(self) -> str:
        """Return the table without its title."""
        alignment = ["---", *["---:"] * (len(self.header) - 1)]
        return "".join(f"| {' | '.join(row)} |\n" for row in (self.header, alignment, *self.rows))


@explained
def tables_of(evaluation: Evaluation) -> Iterator[Table]:
    """Yield the figures, the most important first."""
    comparisons = evaluation.ground_truth
    yield summary(
        {name: one.report for name, one in comparisons.items()},
        title=f"{evaluation.data}: {evaluation.found} of {evaluation.pictures} with a face",
        first="ground truth",
        left_out=[one.left_out for one in comparisons.values()],
    )
    for name, one in comparisons.items():
        if isinstance(one.report, ClassificationReport):
            yield per_label(one.report, title=f"labels against {name}")
            title = f"confusion against {name}: a row per true label, a column per answer"
            yield confusion(one.report, title=title)
        for key, reports in one.groups.items():
            yield summary(reports, title=f"by {key} against {name}", first=key)


def summary(
    reports: Mapping[str, Report], *, title: str, first: str, left_out: Sequence[int] = ()
) -> Table:
    """Return one row per report, all of the same form.

    Args:
        reports: By the name of the row.
        title: Title of the table.
        first: Name of the first column.
        left_out: `Comparison.left_out` of each row; shown if any image was left out.
    """
    rows = {name: _headline(report) for name, report in reports.items()}
    if any(left_out):
        for cells, count in zip(rows.values(), left_out, strict=True):
            cells["in no group"] = str(count)
    header = [first, *next(iter(rows.values()))]
    cells_of = [[name, *cells.values()] for name, cells in rows.items()]
    return Table(title, header, cells_of, list(_notes(reports, any(left_out))))


def _notes(reports: Mapping[str, Report], has_left_out: bool) -> Iterator[str]:
    report = next(iter(reports.values()))
    if isinstance(report, EstimateReport):
        yield "MAE: mean absolute error, with its 95 % interval; bias: mean of estimate − truth."
        yield f"≤ 5: share of the estimates that are at most 5 {report.unit} off."
        if report.within_std is not None:
            yield (
                "≤ std: share that is off by at most the standard deviation that the model gives "
                "with it; 68 % if that is well calibrated."
            )
    else:
        yield "In brackets: 95 % intervals, by Wilson's formula and by a bootstrap."
        yield (
            "macro F1: mean over the labels, however rare; calibration error: how far confidence "
            "is from the share of right answers, 0 at best."
        )
    if has_left_out:
        yield "in no group: pictures whose true label --labels leaves out; they count as `other`."


def _headline(report: Report) -> dict[str, str]:
    if isinstance(report, EstimateReport):
        share = report.within_std
        digits = max(1 - math.floor(math.log10(report.mae)), 0) if report.mae else 0
        between = _between(report.mae_interval, f".{digits}f", report)
        return {
            "rows": str(report.rows),
            f"MAE, {report.unit}": f"{report.mae:.2f}{between}",
            "bias": f"{report.bias:+.2f}",
            **{f"≤ {limit}": f"{part:.1%}" for limit, part in report.cumulative.items()},
            "≤ std": "" if share is None else f"{share:.1%}",
        }
    return {
        "rows": str(report.rows),
        "accuracy": f"{report.accuracy:.1%}{_between(report.accuracy_interval, '.1%', report)}",
        "macro F1": f"{report.macro_f1:.3f}{_between(report.macro_f1_interval, '.2f', report)}",
        "calibration error": f"{report.calibration_error:.3f}",
    }


def _between(interval: Interval, form: str, report: Report) -> str:
    """Return an interval in brackets; nothing where a few images say too little."""
    if report.rows < FEWEST_ROWS:
        return ""
    low, high = (format(border, form) for border in interval)
    return f" ({low.removesuffix('%')}–{high.removesuffix('%')})"


@explained
def figure_rows(evaluation: Evaluation) -> Iterator[dict[str, object]]:
    """Yield the figures as rows of one table: of all images, then of each group of images.

    Each row has ``ground_truth``, ``group_by`` and ``group``, which are empty for all images, and
    a column per figure; those of single labels are named like ``recall_happy``.
    """
    for name, one in evaluation.ground_truth.items():
        whole = {"left_out": one.left_out}
        yield {"ground_truth": name, "group_by": "", "group": "", **_flat(one.report), **whole}
        for key, reports in one.groups.items():
            for group, report in reports.items():
                yield {"ground_truth": name, "group_by": key, "group": group, **_flat(report)}


def _flat(report: Report) -> dict[str, object]:
    """Return figures as cells: intervals in two, those of labels and limits one by one."""
    cells: dict[str, object] = {}
    for name, value in report.to_dict().items():
        if name.endswith("_interval"):
            start = name.removesuffix("interval")
            cells |= {f"{start}low": value[0], f"{start}high": value[1]}
        elif name == "labels":
            for label, figures in value.items():
                cells |= {f"{figure}_{label}": one for figure, one in figures.items()}
        elif name == "cumulative":
            cells |= {f"within_{limit}": share for limit, share in value.items()}
        elif name not in ("confusion", "reliability"):
            cells[name] = value
    return cells


def per_label(report: ClassificationReport, *, title: str = "") -> Table:
    """Return one row per label."""
    columns = zip(
        report.labels, report.support, report.precision, report.recall, report.f1, strict=True
    )
    return Table(
        title,
        ["label", "rows", "precision", "recall", "F1"],
        [
            [label, str(rows), f"{precision:.1%}", f"{recall:.1%}", f"{f1:.3f}"]
            for label, rows, precision, recall, f1 in columns
        ],
    )


def confusion(report: ClassificationReport, *, title: str = "") -> Table:
    """Return one row per true label and one column per answer."""
    rows = zip(report.labels, report.confusion, strict=True)
    return Table(
        title, ["", *report.labels], [[label, *(map(str, counts))] for label, counts in rows]
    )
