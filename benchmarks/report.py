"""What was measured as a page: tables in Markdown, a chart, and all figures in JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.contestants import CONTESTANTS, WORKS
from faceattr.evaluation.tables import Table

OURS, THEIRS = "faceattr", "deepface"
PEERS = (THEIRS, "deepface, ONNX", "fer", "uniface")
SAME_DETECTOR = "deepface, detector mtcnn"
FACES = next(work.title for work in WORKS if work.key == "one faces")
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
TRUNK_GOAL = ("VGG-Face", 8, 0.75)  # network, batch, share of the limit


@dataclass(frozen=True)
class Row:
    """One figure of each contestant, the less the better.

    Attributes:
        title: What it is.
        values: By contestant: all that were measured.
        show: Value to text.
        goal: How many times less than deepface's ours wants to be.
    """

    title: str
    values: Mapping[str, Sequence[float]]
    show: Callable[[float], str]
    goal: float | None = None

    def middle(self, name: str) -> float | None:
        """Return a contestant's median, None if it was not measured."""
        values = self.values.get(name)
        return median(values) if values else None

    def ratio(self, name: str, to: str = OURS) -> float | None:
        """Return how many times one contestant's figure another's is."""
        ours, theirs = self.middle(to), self.middle(name)
        return theirs / ours if ours and theirs else None


def write(results: Mapping[str, Any], folder: Path) -> None:
    """Write ``benchmarks.md``, ``benchmarks.json`` and ``benchmarks.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(rows_of(results))
    (folder / "benchmarks.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "benchmarks.md").write_text(page(results, rows))
    draw(
        [row for row in rows if row.title in {work.title for work in WORKS if work.key in DRAWN}],
        folder / "benchmarks.png",
    )


def rows_of(results: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the figures, in the order of the page."""
    turns = results["turns"]
    for work in WORKS:
        values = times(turns, work.key)
        if work.peers:
            same = times(turns, work.peers)
            values |= {name: same[name] for name in PEERS if name in same}
        yield Row(work.title, values, as_time, work.goal)
    for work in WORKS:
        if work.kind == "start":
            peaks = gather(turns, work.key, lambda turn: [turn["peak_bytes"]])
            title = work.title.replace("(a) cold start", "(f) peak memory of a cold start")
            yield Row(title, peaks, as_bytes, MEMORY_GOAL)
    for work in WORKS:
        if work.kind == "batch":
            peaks = gather(turns, work.key, lambda turn: [turn["peak_bytes"]])
            yield Row(work.title.replace("(e)", "(f) peak memory of"), peaks, as_bytes, MEMORY_GOAL)
    sizes = {
        one.name: [results["environments"][one.environment.name]["num_bytes"]]
        for one in CONTESTANTS
        if one.name in (OURS, *PEERS)
    }
    yield Row("(h) installed size", sizes, as_bytes)
    for work in WORKS:
        if work.kind == "batch":
            title = work.title.replace("(e) 200 pictures", "(i) processor time per 1,000 faces")
            yield Row(title, gather(turns, work.key, _processor_of_1000_faces), as_time)


def times(turns: Sequence[Mapping[str, Any]], key: str) -> dict[str, list[float]]:
    """Return by contestant the seconds of each repetition, per picture or frame."""
    return gather(
        turns,
        key,
        lambda turn: [run["seconds"] / run.get("items", 1) for run in turn["runs"]],
    )


def gather(
    turns: Sequence[Mapping[str, Any]],
    key: str,
    figures: Callable[[Mapping[str, Any]], Sequence[float]],
) -> dict[str, list[float]]:
    """Return by contestant what all its turns at a work say."""
    found: dict[str, list[float]] = {}
    for turn in turns:
        if turn["work"] == key and not turn["error"]:
            found.setdefault(turn["contestant"], []).extend(figures(turn))
    return found


def _processor_of_1000_faces(turn: Mapping[str, Any]) -> list[float]:
    return [1000 * run["processor"] / run["faces"] for run in turn["runs"] if run["faces"]]


def as_time(seconds: float) -> str:
    """Return a time in words, to three digits."""
    if seconds < 1:
        return f"{_three_digits(1000 * seconds)} ms"
    return f"{_three_digits(seconds)} s"


def as_bytes(num_bytes: float) -> str:
    """Return a size in words."""
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
        "brackets: how many times that of faceattr. faceattr finds faces by its MTCNN, deepface "
        "and fer by OpenCV's cascade, each by its default.",
        _markdown(summary([row for row in rows if row.title != FACES], peers(results["turns"]))),
        "![The same as bars](benchmarks.png)",
        "MTCNN alone, and the package that its weights are from:",
        _markdown(summary([row for row in rows if row.title == FACES], ["mtcnn"])),
        "The goals, against deepface on TensorFlow:",
        _markdown(goals(rows, networks)),
        *_by_one_detector(rows),
        "## The limit of the machine",
        _limits(results["limits"]),
        _markdown(limits_table(networks)),
        "## Where faceattr's time goes",
        'Emotion, age and gender by the classic networks, `precision="auto"`.',
        _markdown(breakdown_table(results["breakdown"])),
        "## What `auto` costs in accuracy",
        f"Largest difference from `f32` over {results['differences']['faces']} faces.",
        _markdown(differences_table(results["differences"]["analyzers"])),
        "## Installed",
        "Without what lies in every environment (pip, setuptools) and without bytecode.",
        _markdown(environments_table(results["environments"])),
        "## All figures",
        "All repetitions of all turns: the median, and from the least to the most. A turn is a "
        "process of its own; peak memory is that of the process so far, threads are those it has "
        "at the end.",
        _markdown(all_figures(results["turns"])),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _by_one_detector(rows: Sequence[Row]) -> Iterator[str]:
    same = [row for row in rows if row.values.get(SAME_DETECTOR)]
    if same:
        yield "With the same detector on both sides, MTCNN:"
        yield _markdown(summary(same, [SAME_DETECTOR]))


def _markdown(table: Table) -> str:
    return table.to_markdown()


def _circumstances(results: Mapping[str, Any]) -> Iterator[str]:
    about, arithmetic = results["circumstances"], results["limits"]["arithmetic"]
    effort, pictures = about["effort"], about["pictures"]
    sizes = {name: "×".join(map(str, size)) for name, size in pictures["sizes"].items()}
    yield (
        f"{about['date']}, {about['cores']} cores of {about['processor']} "
        f"({', '.join(arithmetic)}), {about['system']}, Python {about['python']}, faceattr at "
        f"commit {about['commit']}; load of {about['load']:.2f} at the beginning, "
        f"{about['minutes']:.0f} minutes."
    )
    yield (
        f"Contestants take turns, {effort['starts']} at imports and starts, {effort['rounds']} "
        "at other work, each in a fresh process of an environment of its own, with the threads "
        "that it takes by default. What is not a start is warmed up by one picture, or a second "
        f"of a batch or video; then come {effort['least']} repetitions or more of a picture, for "
        f"{effort['picture']:g} to {effort['patience']:g} s, or of a batch or video what can be "
        f"begun within {effort['batch']:g} s. Files are in the disk's cache, weights converted."
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
        f"{turn['contestant']}: {turn['error']}": None for turn in results["turns"] if turn["error"]
    }
    if notes:
        yield "**Not measured.** " + " · ".join(notes)


def peers(turns: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the peers that could do more than be imported."""
    able = {turn["contestant"] for turn in turns if turn["work"] != "import" and not turn["error"]}
    return [name for name in PEERS if name in able]


def summary(rows: Sequence[Row], names: Sequence[str]) -> Table:
    """Return the figures of faceattr and of peers beside it."""
    cells = [
        [row.title, *(_cell(row, name) for name in (OURS, *names))]
        for row in rows
        if any(row.values.get(name) for name in (OURS, *names))
    ]
    return Table("", ["", OURS, *names], cells)


def _cell(row: Row, name: str) -> str:
    value, ratio = row.middle(name), row.ratio(name)
    if value is None:
        return ""
    if name == OURS:
        return f"**{row.show(value)}**"
    return row.show(value) + (f" ({_three_digits(ratio)}×)" if ratio else "")


def goals(rows: Sequence[Row], networks: Sequence[Mapping[str, Any]]) -> Table:
    """Return what faceattr wants to be, and what it is."""
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
    """Return how near each network comes to what the machine allows."""
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
    """Return the shares of the parts of the program."""
    parts = ("decoding", "detection", "networks", "rest")
    cells = [
        [name, *(f"{seconds.get(part, 0) / seconds['all']:.1%}" for part in parts)]
        for name, seconds in breakdown.items()
    ]
    return Table("", ["", *parts], cells)


def differences_table(analyzers: Mapping[str, Mapping[str, Any]]) -> Table:
    """Return how far answers at `auto` are from those at `f32`."""
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
    """Return sizes and versions."""
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


def all_figures(turns: Sequence[Mapping[str, Any]]) -> Table:
    """Return each contestant at each work."""
    cells = []
    for work in WORKS:
        for contestant in CONTESTANTS:
            mine = [
                turn
                for turn in turns
                if (turn["contestant"], turn["work"]) == (contestant.name, work.key)
                and not turn["error"]
            ]
            if mine:
                values = times(mine, work.key)[contestant.name]
                last = mine[-1]
                run = last["runs"][-1]
                cells.append(
                    [
                        work.title,
                        contestant.name,
                        as_time(median(values)),
                        f"{as_time(min(values))} – {as_time(max(values))}",
                        str(len(values)),
                        f"{run['faces']} in {run['items']}" if "faces" in run else "",
                        as_bytes(max(turn["peak_bytes"] for turn in mine)),
                        str(last["threads"] or ""),
                    ]
                )
    header = ["work", "contestant", "median", "least – most", "repetitions"]
    return Table("", [*header, "faces in pictures", "peak memory", "threads"], cells)


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw the figures of faceattr and its peers as bars."""
    from matplotlib.figure import Figure

    names = [name for name in (OURS, *PEERS[:3]) if any(row.values.get(name) for row in rows)]
    figure = Figure(figsize=(9, 1.0 + 0.95 * len(rows)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    height = 0.8 / len(names)
    for index, name in enumerate(names):
        for place, row in enumerate(rows):
            value = row.middle(name)
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
