"""What is known about a trained head, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from faceattr.evaluation.metrics import ClassificationReport
from faceattr.evaluation.tables import Table, confusion, per_label
from faceattr.training.training import Training


def tables_of(training: Training) -> Iterator[Table]:
    """Yield the figures, the most important first."""
    head, report = training.head, training.report
    low, high = training.interval
    count = sum(training.counts.values())
    title = f"{head.attribute} from {count} pictures of {training.data}, in cross-validation"
    if isinstance(report, ClassificationReport):
        rows = [
            [
                f"head on {head.trunk}",
                f"{report.accuracy:.1%}",
                f"{low:.1%} – {high:.1%}",
                f"{report.calibration_error:.3f}",
            ]
        ]
        rows += [
            [f"head on {name}", f"{figure:.1%}", "", ""]
            for name, figure in training.trunks.items()
            if name != head.trunk
        ]
        rows += [[name, f"{figure:.1%}", "", ""] for name, figure in training.baselines.items()]
        header = ["", "accuracy", "95 % interval", "calibration error"]
        yield Table(title, header, rows)
        yield per_label(report, title="labels")
        yield confusion(report, title="confusion: a row per true label, a column per answer")
        return
    within = "" if report.within_std is None else f"{report.within_std:.1%}"
    rows = [
        [f"head on {head.trunk}", f"{report.mae:.3g}", f"{low:.3g} – {high:.3g}", within],
        *(
            [f"head on {name}", f"{figure:.3g}", "", ""]
            for name, figure in training.trunks.items()
            if name != head.trunk
        ),
        *([name, f"{figure:.3g}", "", ""] for name, figure in training.baselines.items()),
    ]
    header = ["", f"mean error, {report.unit}", "95 % interval", "≤ std (68 % is right)"]
    yield Table(title, header, rows)
