"""Figures as tables, for a terminal or a model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faceattr.evaluation.evaluate import Evaluation
from faceattr.evaluation.metrics import ClassificationReport, EstimateReport, Report


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows of the same length, in words.

    Attributes:
        title: What it shows.
        header: C columns; the first names the rows.
        rows: Each of C cells.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def to_markdown(self) -> str:
        """Return the table without its title."""
        alignment = ["---", *["---:"] * (len(self.header) - 1)]
        return "".join(f"| {' | '.join(row)} |\n" for row in (self.header, alignment, *self.rows))


def tables_of(evaluation: Evaluation) -> Iterator[Table]:
    """Yield the figures, the most important first."""
    yield summary(
        {name: truth.report for name, truth in evaluation.truths.items()},
        title=f"{evaluation.data}: {evaluation.found} of {evaluation.pictures} with a face",
        first="truth",
    )
    for name, truth in evaluation.truths.items():
        if isinstance(truth.report, ClassificationReport):
            yield per_label(truth.report, title=f"labels against {name}")
            yield confusion(truth.report, title=f"confusion against {name}: a row is what is true")
        for key, reports in truth.groups.items():
            yield summary(reports, title=f"by {key} against {name}", first=key)


def summary(reports: Mapping[str, Report], *, title: str, first: str) -> Table:
    """Return one row per report, all of one form.

    Of estimates it has the shares of errors that are at most so large, or at most one std.

    Args:
        reports: By name.
        title: Of the table.
        first: What the names are.
    """
    columns = {name: _headline(report) for name, report in reports.items()}
    header = [first, *next(iter(columns.values()))]
    return Table(title, header, [[name, *cells.values()] for name, cells in columns.items()])


def _headline(report: Report) -> dict[str, str]:
    if isinstance(report, EstimateReport):
        share = report.within_std
        return {
            "rows": str(report.rows),
            f"MAE, {report.unit}": f"{report.mae:.2f}",
            "bias": f"{report.bias:+.2f}",
            **{f"≤ {limit}": f"{part:.1%}" for limit, part in report.cumulative.items()},
            "≤ std": "" if share is None else f"{share:.1%}",
        }
    return {
        "rows": str(report.rows),
        "accuracy": f"{report.accuracy:.1%}",
        "macro F1": f"{report.macro_f1:.3f}",
        "calibration error": f"{report.calibration_error:.3f}",
    }


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
