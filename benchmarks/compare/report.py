"""Measurements of two versions as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from faceattr.evaluation.tables import Table


@dataclass(frozen=True)
class Measurement:
    """One version at one task.

    Attributes:
        version: 0 for the old version, 1 for the new one.
        task: What it did.
        round: Number of the round.
        seconds: Of a start, or per picture or frame; the median of the process's calls.
        fastest: The same of its fastest call.
        cpu_seconds: The same of all cores together; the median of the calls.
        peak_bytes: Largest resident memory of the process.
    """

    version: int
    task: str
    round: int
    seconds: float
    fastest: float
    cpu_seconds: float
    peak_bytes: int


def to_table(measurements: Sequence[Measurement]) -> Table:
    """Return one row per task: medians of both versions, and the ratio of the new to the old."""
    rows = []
    for task in dict.fromkeys(one.task for one in measurements):
        both = [
            [one for one in measurements if (one.version, one.task) == (v, task)] for v in (0, 1)
        ]
        seconds = [[one.seconds for one in runs] for runs in both]
        fastest = [min(one.fastest for one in runs) for runs in both]
        peaks = [[float(one.peak_bytes) for one in runs] for runs in both]
        rows.append(
            [
                task,
                *(f"{1000 * median(values):.2f} ms" for values in seconds),
                ratio(*seconds),
                f"{fastest[1] / fastest[0]:.3f}",
                ratio(*([one.cpu_seconds for one in runs] for runs in both)),
                *(f"{median(values) / 1e6:.0f} MB" for values in peaks),
                ratio(*peaks),
            ]
        )
    header = [
        "task",
        *("old", "new", "ratio", "of fastest", "of processor time"),
        *("old, peak memory", "new, peak memory", "ratio"),
    ]
    return Table("", header, rows)


def ratio(old: Sequence[float], new: Sequence[float]) -> str:
    """Return the median of the rounds' ratios, with its quartiles if there are several rounds.

    Args:
        old: Figures of the old version, one per round.
        new: Those of the new version in the same rounds.
    """
    ratios = [b / a for a, b in zip(old, new, strict=True)]
    if len(ratios) < 2:
        return f"{ratios[0]:.3f}"
    low, middle, high = quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.3f} ({low:.3f}–{high:.3f})"
