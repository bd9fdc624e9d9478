"""The page with the results: tables in Markdown, a chart, and all figures in JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.peers.contestants import CONTESTANTS, TASKS
from faceattr.evaluation.tables import Table

OURS, THEIRS = "faceattr", "deepface"
PEERS = (THEIRS, "deepface, ONNX", "fer", "uniface")
OURS_BY_MTCNN, THEIRS_BY_MTCNN = "faceattr, detector mtcnn", "deepface, detector mtcnn"
DETECTION = next(task.title for task in TASKS if task.key == "one faces")
DRAWN = (
    "start emotion",
    "start all",
    "one emotion",
    "one all",
    "sixteen all",
    "many all",
    "video all",
)
MEMORY_GOAL = 3.0
TRUNK_GOAL = ("VGG-Face", 8, 0.75)  # network, batch size, share of the machine's limit


@dataclass(frozen=True)
class Row:
    """A figure of each contestant; less is better.

    Attributes:
        title: Name of the figure.
        values: All measured values, by contestant.
        show: Formats a value.
        goal: Least ratio of deepface's value to ours that is aimed at.
    """

    title: str
    values: Mapping[str, Sequence[float]]
    show: Callable[[float], str]
    goal: float | None = None

    def median(self, name: str) -> float | None:
        """Return a contestant's median, or None if it was not measured."""
        values = self.values.get(name)
        return median(values) if values else None

    def ratio(self, name: str, to: str = OURS) -> float | None:
        """Return the ratio of one contestant's median to another's, or None."""
        ours, theirs = self.median(to), self.median(name)
        return theirs / ours if ours and theirs else None


def write(results: Mapping[str, Any], folder: Path) -> None:
    """Write ``benchmarks.md``, ``benchmarks.json`` and ``benchmarks.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(rows_of(results))
    (folder / "benchmarks.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "benchmarks.md").write_text(page(results, rows))
    draw(
        [row for row in rows if row.title in {task.title for task in TASKS if task.key in DRAWN}],
        folder / "benchmarks.png",
    )


def rows_of(results: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the figures, in the order of the page."""
    runs = results["runs"]
    for task in TASKS:
        values = times(runs, task.key)
        if task.peer_task:
            same = times(runs, task.peer_task)
            values |= {name: same[name] for name in PEERS if name in same}
        yield Row(task.title, values, as_time, task.goal)
    titles = {
        "start": ("(a) cold start", "(f) peak memory of a cold start"),
        "batch": ("(e)", "(f) peak memory of"),
    }
    for kind, (old, new) in titles.items():
        for task in TASKS:
            if task.kind == kind:
                peaks = gather(runs, task.key, lambda run: [run["peak_bytes"]])
                yield Row(task.title.replace(old, new), peaks, as_bytes, MEMORY_GOAL)
    sizes = {
        one.name: [results["environments"][one.environment.name]["num_bytes"]]
        for one in CONTESTANTS
        if one.name in (OURS, *PEERS)
    }
    yield Row("(h) installed size", sizes, as_bytes)
    for task in TASKS:
        if task.kind == "batch":
            title = task.title.replace("(e) 200 pictures", "(i) processor time per 1,000 faces")
            yield Row(title, gather(runs, task.key, _cpu_seconds_of_1000_faces), as_time)


def times(runs: Sequence[Mapping[str, Any]], task: str) -> dict[str, list[float]]:
    """Return the seconds per picture or frame of each repetition, by contestant."""
    return gather(
        runs,
        task,
        lambda run: [one["seconds"] / one.get("items", 1) for one in run["repetitions"]],
    )


def gather(
    runs: Sequence[Mapping[str, Any]],
    task: str,
    figures: Callable[[Mapping[str, Any]], Sequence[float]],
) -> dict[str, list[float]]:
    """Return the figures of all runs of a task, by contestant."""
    found: dict[str, list[float]] = {}
    for run in runs:
        if run["task"] == task and not run["error"]:
            found.setdefault(run["contestant"], []).extend(figures(run))
    return found


def _cpu_seconds_of_1000_faces(run: Mapping[str, Any]) -> list[float]:
    return [1000 * one["cpu_seconds"] / one["faces"] for one in run["repetitions"] if one["faces"]]


def as_time(seconds: float) -> str:
    """Format a time, to three digits."""
    if seconds < 1:
        return f"{_three_digits(1000 * seconds)} ms"
    return f"{_three_digits(seconds)} s"


def as_bytes(num_bytes: float) -> str:
    """Format a size."""
    return f"{num_bytes / 1e6:,.0f} MB"


def _three_digits(value: float) -> str:
    decimals = 2 - math.floor(math.log10(value)) if value > 0 else 0
    return f"{value:.{min(max(decimals, 0), 3)}f}"


# The page


def page(results: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Return the whole page."""
    networks = results["limits"]["networks"]
    parts = [
        "# How fast?",
        "`python -m benchmarks` wrote this page; nothing on it was written by hand.",
        *_circumstances(results),
        "## In short",
        "Medians; a time is that of one picture or frame, from its file to the answers. In "
        "brackets: how many times that of faceattr. Each finds faces by its default: faceattr by "
        "YuNet, deepface and fer by OpenCV's cascade.",
        summary(
            [row for row in rows if row.title != DETECTION], peers(results["runs"])
        ).to_markdown(),
        "![The same as bars](benchmarks.png)",
        "Detection alone, by YuNet, by MTCNN, and by the package that MTCNN's weights are from:",
        summary(
            [row for row in rows if row.title == DETECTION], [OURS_BY_MTCNN, "mtcnn"]
        ).to_markdown(),
        "The goals, against deepface on TensorFlow:",
        goals(rows, networks).to_markdown(),
        *_by_one_detector(rows),
        "## The limit of the machine",
        _limits(results["limits"]),
        limits_table(networks).to_markdown(),
        "## Where faceattr's time goes",
        'Emotion, age and gender by the classic networks, `precision="auto"`.',
        breakdown_table(results["breakdown"]).to_markdown(),
        "## What `auto` costs in accuracy",
        f"Largest difference from `f32` over {results['differences']['faces']} faces.",
        differences_table(results["differences"]["analyzers"]).to_markdown(),
        "## Installed",
        "Without what lies in every environment (pip, setuptools) and without bytecode.",
        environments_table(results["environments"]).to_markdown(),
        "## All figures",
        "All repetitions of all runs: the median, and from the least to the most. A run is a "
        "process of its own; peak memory is that of the process so far, threads are those that it "
        "has at the end.",
        all_figures(results["runs"]).to_markdown(),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _by_one_detector(rows: Sequence[Row]) -> Iterator[str]:
    same = [row for row in rows if row.values.get(THEIRS_BY_MTCNN)]
    if same:
        yield "With the same detector on both sides, MTCNN:"
        yield summary(same, [THEIRS_BY_MTCNN], ours=OURS_BY_MTCNN).to_markdown()


def _circumstances(results: Mapping[str, Any]) -> Iterator[str]:
    about, arithmetic = results["circumstances"], results["limits"]["arithmetic"]
    settings, pictures = about["settings"], about["pictures"]
    sizes = {name: "×".join(map(str, size)) for name, size in pictures["sizes"].items()}
    yield (
        f"{about['date']}, {about['cores']} cores of {about['processor']} "
        f"({', '.join(arithmetic)}), {about['system']}, Python {about['python']}, faceattr at "
        f"commit {about['commit']}; load of {about['load']:.2f} at the beginning, "
        f"{about['minutes']:.0f} minutes."
    )
    yield (
        f"Contestants take turns, {settings['starts']} rounds of imports and starts and "
        f"{settings['rounds']} of other tasks, each in a fresh process of an environment of its "
        "own, with its default number of threads. What is not a start is warmed up by one "
        "picture, or a second of a batch or video; then come "
        f"{settings['least']} repetitions or more of a picture, for {settings['picture']:g} to "
        f"{settings['patience']:g} s, or of a batch or video what can be begun within "
        f"{settings['batch']:g} s. Files are in the disk's cache, weights converted."
    )
    yield (
        f"One face: {sizes['one']} px; the small picture: {sizes['little']} px; two faces: "
        f"{sizes['two']} px; 16: {sizes['sixteen']} px. The "
        f"200 pictures are {pictures['pictures']} in turn, with {pictures['faces']} faces; the "
        "video has 300 frames."
    )
    given = ", ".join(about["given_weights"])
    yield (
        f"**Weights.** {f'Given: {given}; all others' if given else 'Those'} of the classic "
        "networks are random stand-ins of the same shapes, the same for faceattr and deepface, "
        "where the published files were not at hand; their ONNX graphs are written from them. "
        "Speed does not depend on their values; answers do. All other networks have their real "
        "weights."
    )
    notes = {
        f"{run['contestant']}: {run['error']}": None for run in results["runs"] if run["error"]
    }
    if notes:
        yield "**Not measured.** " + " · ".join(notes)


def peers(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the peers that succeeded at more than their import."""
    able = {run["contestant"] for run in runs if run["task"] != "import" and not run["error"]}
    return [name for name in PEERS if name in able]


def summary(rows: Sequence[Row], names: Sequence[str], *, ours: str = OURS) -> Table:
    """Return a table of faceattr's figures beside those of peers.

    Args:
        rows: The figures.
        names: The peers.
        ours: Which of faceattr's contestants they are compared with.
    """
    cells = [
        [row.title, *(_cell(row, name, ours) for name in (ours, *names))]
        for row in rows
        if any(row.values.get(name) for name in (ours, *names))
    ]
    return Table("", ["", ours, *names], cells)


def _cell(row: Row, name: str, ours: str) -> str:
    value, ratio = row.median(name), row.ratio(name, to=ours)
    if value is None:
        return ""
    if name == ours:
        return f"**{row.show(value)}**"
    return row.show(value) + (f" ({_three_digits(ratio)}×)" if ratio else "")


def goals(rows: Sequence[Row], networks: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of the goals and what was measured."""
    cells = []
    for row in rows:
        ratio = row.ratio(THEIRS)
        if row.goal is not None and ratio is not None:
            cells.append(
                [row.title, f"{row.goal:g}×", f"{_three_digits(ratio)}×", _verdict(ratio, row.goal)]
            )
    for network in networks:
        name, batch, goal = TRUNK_GOAL
        if (network["network"], network["batch"]) == (name, batch):
            share = network["allowed_seconds"] / network["seconds"]
            title = f"{name} trunk, batch of {batch}: share of the machine's limit"
            cells.append([title, f"{goal:.0%}", f"{share:.0%}", _verdict(share, goal)])
    return Table("", ["", "goal, at least", "measured", ""], cells)


def _verdict(value: float, goal: float) -> str:
    return "reached" if value >= goal else "**not reached**"


def _limits(limits: Mapping[str, Any]) -> str:
    rates = limits["multiply_adds_per_second"]
    return (
        f"Large matrix products, the fastest: {rates['auto'] / 1e9:.0f} billion multiply-adds per "
        f"second at `auto`, {rates['f32'] / 1e9:.0f} at `f32`. Memory: "
        f"{limits['bytes_per_second'] / 1e9:.1f} GB/s read and written while all cores copy. A "
        "network cannot be faster than its multiply-adds at that rate, or than its weights, "
        "pictures and answers take through memory."
    )


def limits_table(networks: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of each network's time beside the least that the machine allows."""
    cells = [
        [
            network["owner"],
            network["network"],
            network["precision"],
            str(network["batch"]),
            f"{network['multiply_adds'] / 1e6:,.0f} M",
            f"{as_time(network['allowed_seconds'])} ({network['bound_by']})",
            as_time(network["seconds"]),
            f"{network['allowed_seconds'] / network['seconds']:.0%}",
        ]
        for network in networks
    ]
    header = [
        "of",
        "network",
        "precision",
        "batch",
        "multiply-adds",
        "allowed",
        "measured",
        "share",
    ]
    return Table("", header, cells)


def breakdown_table(breakdown: Mapping[str, Mapping[str, float]]) -> Table:
    """Return a table of the shares of time of each part of the program."""
    parts = ("decoding", "detection", "networks", "rest")
    cells = [
        [name, *(f"{seconds.get(part, 0) / seconds['all']:.1%}" for part in parts)]
        for name, seconds in breakdown.items()
    ]
    return Table("", ["", *parts], cells)


def differences_table(analyzers: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return a table of the differences between answers at `auto` and at `f32`."""
    cells = [
        [
            name,
            f"{one['largest']:.2f} {one['unit']}",
            f"{one['mean']:.3f} {one['unit']}",
            "–" if one["other_labels"] is None else str(one["other_labels"]),
        ]
        for name, one in analyzers.items()
    ]
    return Table("", ["analyzer", "largest", "mean", "other labels"], cells)


def environments_table(environments: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return a table of the environments' sizes and versions."""
    cells = [
        [
            name,
            as_bytes(one["num_bytes"]),
            ", ".join(f"{part} {size / 1e6:,.0f}" for part, size in one["largest"].items()),
            ", ".join(f"{package} {version}" for package, version in one["versions"].items()),
        ]
        for name, one in environments.items()
    ]
    return Table("", ["environment", "size", "largest parts, MB", "versions"], cells)


def all_figures(runs: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table of each contestant at each task."""
    cells = []
    for task in TASKS:
        for contestant in CONTESTANTS:
            own = [
                run
                for run in runs
                if (run["contestant"], run["task"]) == (contestant.name, task.key)
                and not run["error"]
            ]
            if own:
                values = times(own, task.key)[contestant.name]
                last = own[-1]["repetitions"][-1]
                cells.append(
                    [
                        task.title,
                        contestant.name,
                        as_time(median(values)),
                        f"{as_time(min(values))} – {as_time(max(values))}",
                        str(len(values)),
                        f"{last['faces']} in {last['items']}" if "faces" in last else "",
                        as_bytes(max(run["peak_bytes"] for run in own)),
                        str(own[-1]["threads"] or ""),
                    ]
                )
    header = ["task", "contestant", "median", "least – most", "repetitions"]
    return Table("", [*header, "faces in pictures", "peak memory", "threads"], cells)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the figures of faceattr and its peers as bars into a PNG file."""
    from matplotlib.figure import Figure

    names = [name for name in (OURS, *PEERS[:3]) if any(row.values.get(name) for row in rows)]
    figure = Figure(figsize=(9, 1.0 + 0.95 * len(rows)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(names)
    for index, name in enumerate(names):
        for place, row in enumerate(rows):
            value = row.median(name)
            if value is None:
                continue
            y = place + (index - (len(names) - 1) / 2) * height
            label = name if row is next(one for one in rows if one.values.get(name)) else None
            axes.barh(y, 1000 * value, 0.9 * height, color=f"C{index}", label=label)
            ratio = row.ratio(name)
            factor = f"  {_three_digits(ratio)}×" if ratio and name != OURS else ""
            axes.text(1000 * value, y, f" {row.show(value)}{factor}", va="center", fontsize=8)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(range(len(rows)), [row.title for row in rows])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.margins(x=0.25)
    axes.set_xlabel("time per start, picture or frame [ms], shorter is better")
    axes.legend(loc="lower right", fontsize=9)
    axes.grid(axis="x", which="both", alpha=0.3)
    axes.set_axisbelow(True)
    figure.savefig(path)
