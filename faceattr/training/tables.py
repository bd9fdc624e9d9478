"""What is known about a trained head, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from faceattr.evaluation.metrics import ClassificationReport
from faceattr.evaluation.tables import Table, confusion, per_label
from faceattr.training.training import Full, Training


def tables_of(training: Training) -> Iterator[Table]:
    """Yield the figures, the most important first."""
    head, report = training.head, training.report
    low, high = training.interval
    count = sum(training.counts.values())
    title = f"{head.attribute} from {count} pictures of {training.data}, in cross-validation"
    best, *others = sorted(training.trunks, key=lambda name: name != training.trunk)
    if isinstance(report, ClassificationReport):
        rows = [
            [
                f"head on {best}",
                f"{report.accuracy:.1%}",
                f"{low:.1%} – {high:.1%}",
                f"{report.calibration_error:.3f}",
            ]
        ]
        rows += [[f"head on {name}", f"{training.trunks[name]:.1%}", "", ""] for name in others]
        rows += [[name, f"{figure:.1%}", "", ""] for name, figure in training.baselines.items()]
        header = ["", "accuracy", "95 % interval", "calibration error"]
    else:
        within = "" if report.within_std is None else f"{report.within_std:.1%}"
        rows = [[f"head on {best}", f"{report.mae:.3g}", f"{low:.3g} – {high:.3g}", within]]
        rows += [[f"head on {name}", f"{training.trunks[name]:.3g}", "", ""] for name in others]
        rows += [[name, f"{figure:.3g}", "", ""] for name, figure in training.baselines.items()]
        header = ["", f"mean error, {report.unit}", "95 % interval", "≤ std (68 % is right)"]
    yield Table(title, header, rows)
    if training.full is not None:
        yield _contest(training.full, header)
    if isinstance(report, ClassificationReport):
        yield per_label(report, title="labels")
        yield confusion(report, title="confusion: a row per true label, a column per answer")


def _contest(full: Full, header: list[str]) -> Table:
    """Return all layers beside the head alone, on the same pictures."""
    report, (low, high) = full.report, full.interval
    if isinstance(report, ClassificationReport):
        row = [f"{report.accuracy:.1%}", f"{low:.1%} – {high:.1%}"]
        row.append(f"{report.calibration_error:.3f}")
        head, count = f"{full.head:.1%}", report.rows
    else:
        row = [f"{report.mae:.3g}", f"{low:.3g} – {high:.3g}"]
        row.append("" if report.within_std is None else f"{report.within_std:.1%}")
        head, count = f"{full.head:.3g}", report.rows
    kept = "all layers are kept" if full.kept else "the head alone is kept"
    length = "1 epoch" if full.epochs == 1 else f"{full.epochs} epochs"
    title = f"all layers, {length}, on {count} pictures apart: {kept}"
    rows = [[f"all layers from {full.trunk}", *row], ["head alone", head, "", ""]]
    return Table(title, header, rows)
