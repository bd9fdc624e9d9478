"""Figures of an evaluation as tables, for a terminal or a model card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from faceattr.arguments import explained
from faceattr.evaluation.evaluate import Evaluation
from faceattr.evaluation.metrics import ClassificationReport, EstimateReport, Report


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows of text.

    Attributes:
        title: What the table shows.
        header: Names of C columns; the first column names the rows.
        rows: Rows of C cells.
    """

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

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

    The columns ``≤ …`` of estimates are the shares of errors up to that size, or up to one
    standard deviation.

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
    return Table(title, header, [[name, *cells.values()] for name, cells in rows.items()])


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
