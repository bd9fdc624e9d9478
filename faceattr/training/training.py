"""Labelled pictures to a head on a trunk, and to what is known about its answers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from faceattr.analyzers.age_gender import AgeAnalyzer, GenderAnalyzer
from faceattr.analyzers.ages import AGES
from faceattr.analyzers.builtin import BuiltinAnalyzer, load_builtin
from faceattr.analyzers.declaration import columns_of
from faceattr.analyzers.emotion import EmotionAnalyzer
from faceattr.analyzers.trained import TrainedAnalyzer, trained_analyzer
from faceattr.analyzers.trunks import SINGLE_TRUNKS, TRUNKS, AnyTrunk
from faceattr.arguments import explained
from faceattr.errors import OptionError, UnknownNameError, describe_unknown
from faceattr.evaluation.datasets import LabelledSet
from faceattr.evaluation.metrics import (
    ClassificationReport,
    EstimateReport,
    report_classes,
    report_estimates,
)
from faceattr.forms import Labels, Unit
from faceattr.images import ImageSource, printable
from faceattr.labels import NUM_AGES
from faceattr.networks.formats import trained
from faceattr.networks.formats.trained import ATTRIBUTE, TrainedHead
from faceattr.networks.heads import SoftmaxHead
from faceattr.outputs import Outputs
from faceattr.pipeline import Pipeline
from faceattr.training import fitting
from faceattr.training.contest import Contest, compete
from faceattr.training.fitting import Floats
from faceattr.training.folds import assign_folds
from faceattr.training.full import MINUTES, VARIETIES, Plan, Steps, require_keras
from faceattr.training.gathering import Gatherer, Look, Progress, cut_crops
from faceattr.training.problem import Choice, Problem, features_of

MIN_PICTURES = 10  # of a label; below that, nothing can be said about the answers
FEW_PICTURES = 50  # of a label; below that, more pictures help most
MIN_VALUES = 30  # pictures of an estimate
IMBALANCE = 10  # times as many pictures of the most frequent label as of the rarest
DOUBT = 0.8  # probability of another label, from which the given one is doubted
DOUBT_STD = 3.0  # standard deviations between an estimate and its doubted value
BUILT_IN = "built-in"  # begins the names of baselines that faceattr ships

Priors: TypeAlias = str | Mapping[str, float]
"""``"equal"``, or the share of each label where the analyzer will be used."""

Target: TypeAlias = str | float


def _no_progress(steps: Iterable[tuple[int, int]], most: int) -> Iterable[tuple[int, int]]:
    return steps


class Doubt(NamedTuple):
    """A picture whose label is likely to be wrong.

    Attributes:
        row: Number of the picture in the labelled set, from 0.
        source: What it is called.
        given: Its label, or its value as text.
        likely: What the other pictures say that it is.
        confidence: Probability of that, in [0, 1]; of estimates, standard deviations between.
    """

    row: int
    source: str
    given: str
    likely: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Full:
    """All layers of a network, trained, beside the head alone.

    Attributes:
        trunk: Name of the built-in trunk whose layers were the start.
        report: Figures of the answers to the pictures that were kept for the comparison.
        interval: 95 % interval of the accuracy, or of the mean absolute error.
        head: Accuracy of the head alone on the same pictures, or its mean absolute error.
        epochs: Number of epochs that were trained.
        best: The epoch that was the best, from 1; 0 if none was better than the start.
        kept: Whether all layers have the smaller loss, and are what is saved.
    """

    trunk: str
    report: ClassificationReport | EstimateReport
    interval: tuple[float, float]
    head: float
    epochs: int
    best: int
    kept: bool

    def to_dict(self) -> dict[str, Any]:
        """Return everything in JSON's own types."""
        own = {name: getattr(self, name) for name in ("trunk", "head", "epochs", "best", "kept")}
        return {**own, "interval": list(self.interval), "validation": self.report.to_dict()}


@dataclass(frozen=True, slots=True)
class Training:
    """A trained head, and how good it is on pictures that it was not fitted to.

    Attributes:
        head: The head; with layers of its own below it, if they have turned out better.
        data: Name of the labelled set.
        report: Figures of the answers of a head alone in cross-validation.
        interval: 95 % interval of the accuracy, or of the mean absolute error.
        baselines: Accuracy of simpler answers, or their mean absolute error, by what they are.
        trunk: Name of the trunk that was the best for a head alone.
        trunks: Accuracy, or mean absolute error, with each trunk in cross-validation.
        counts: Number of pictures of each label; of estimates, of all.
        mirrored: Whether the head was fitted to features averaged with those of mirror images.
        left_out: Why a picture was left out, by its name.
        warnings: What to know before using it.
        doubts: Pictures whose label is likely to be wrong, the most likely first.
        full: How good all layers are, if they were trained.
    """

    head: TrainedHead
    data: str
    report: ClassificationReport | EstimateReport
    interval: tuple[float, float]
    baselines: Mapping[str, float]
    trunk: str
    trunks: Mapping[str, float]
    counts: Mapping[str, int]
    mirrored: bool
    left_out: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: Sequence[str] = ()
    doubts: Sequence[Doubt] = field(default=(), repr=False)
    full: Full | None = None

    @property
    def analyzer(self) -> TrainedAnalyzer:
        """A new analyzer with this head, which can stand wherever a name can."""
        return trained_analyzer(self.head)()

    @explained
    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the head to a file whose path can stand wherever the name of an analyzer can.

        Args:
            path: Where to; the name ends in ``.faceattr``.
            overwrite: Replace the file if it exists.

        Raises:
            OptionError: The name has another ending.
            SinkError: The file exists or cannot be written; an earlier one is left as it was.
        """
        output = Outputs(overwrite=overwrite).file(check_name(path))
        output.write_bytes(trained.save(self.head))
        return output.path

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the numbers of the head in JSON's own types."""
        return {
            "attribute": self.head.attribute,
            "data": self.data,
            "trunk": self.trunk,
            "pictures": sum(self.counts.values()),
            "counts": dict(self.counts),
            "mirrored": self.mirrored,
            "interval": list(self.interval),
            "baselines": dict(self.baselines),
            "trunks": dict(self.trunks),
            "validation": self.report.to_dict(),
            "left_out": dict(self.left_out),
            "warnings": list(self.warnings),
            "doubts": [doubt._asdict() for doubt in self.doubts],
            "full": None if self.full is None else self.full.to_dict(),
        }


def check_name(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file for a trained analyzer.

    Raises:
        OptionError: Its name has another ending.
    """
    path = Path(path)
    if path.suffix.lower() != trained.SUFFIX:
        raise OptionError(
            f"{printable(str(path))}: the file of a trained analyzer ends in {trained.SUFFIX}, by "
            "which --actions knows it"
        )
    return path


@explained
def train_head(
    data: LabelledSet,
    attribute: str,
    *,
    pipeline: Pipeline,
    unit: str | None = None,
    trunk: str = "auto",
    group: str | int | None = None,
    priors: Priors | None = None,
    mirror: bool | None = None,
    full: bool = False,
    minutes: float = MINUTES,
    path: Path | None = None,
    progress: Progress = iter,
    steps: Steps = _no_progress,
) -> Training:
    """Fit a head to the features of labelled pictures, and train all layers if that is asked for.

    The same pictures give the same head.

    Args:
        data: Pictures, of which the first ground truth is learned.
        attribute: Name for what the analyzer reads.
        pipeline: Finds faces, and says which engine runs the trunks.
        unit: Unit of the values to learn; None to learn labels.
        trunk: Name of the trunk, or ``"auto"`` for the best in cross-validation of those whose
            features are not private: ``"both"``, which runs two networks, only if it is better by
            more than a standard error. Private features are not remembered.
        group: Name of a grouping of the set, or level of the folders below the set's, 1 for the
            labels': pictures of one group are never on both sides of the cross-validation.
        priors: Shares of the labels where the analyzer will be used; None for those in ``data``.
        mirror: Whether to fit to features averaged with those of mirror images; None for what is
            better in cross-validation.
        full: Whether to train all layers of the trunk as well, and keep them if they are better.
        minutes: Longest time of that training.
        path: Where the set was read from, so that what was seen in the pictures is remembered.
        progress: Shows the progress of looking at pictures.
        steps: Shows the progress of training all layers.

    Raises:
        OptionError: An option does not fit the set, or the set is too small.
        UnknownNameError: There is no such trunk.
        MissingDependencyError: All layers are to be trained, and Keras is not installed.
    """
    trunks = _find_trunks(trunk)
    if full:
        if not any(one.name in VARIETIES for one in trunks):
            raise OptionError(
                f"all layers of the trunk {trunk!r} cannot be trained; those of "
                f"{' or '.join(VARIETIES)} can: choose one of them, or auto"
            )
        require_keras()
    if ATTRIBUTE.fullmatch(attribute) is None:
        raise OptionError(
            f"attribute is {attribute!r}; it must be a name without spaces, commas and '='"
        )
    truths = next(iter(data.ground_truth.values()))
    groups = _groups(data, group, path)
    wanted = [_to_target(truth, unit, data.name) for truth in truths]
    output = _to_output(wanted, unit, data.name, path)  # before the work, which may take long
    columns_of({attribute: output})  # refuses names of columns that tables have
    shares = None if priors is None else _parse_priors(priors, output)
    gathered = [one for one in SINGLE_TRUNKS if not one.private or one in trunks]
    remembered = None if any(one.private for one in gathered) else path
    gatherer = Gatherer(gathered, pipeline)
    looks = gatherer.gather(data, path=remembered, progress=progress)
    sifted = _sift(data, looks, wanted)
    rows = sifted.rows
    counts = _check_counts([wanted[row] for row in rows], output, data.name)
    targets = _to_numbers([wanted[row] for row in rows], output)
    classes = targets if isinstance(output, Labels) else _strata(targets)
    folds = assign_folds(classes, [groups[row] for row in rows])
    if folds.max() == 0:
        raise OptionError(f"{data.name}: all pictures are of one group; at least two are needed")
    features = np.stack([looks[row].features for row in rows]).astype(np.float32)
    problem = Problem(output, targets, folds, features)
    with threadpool_limits(1, "blas"):  # threads for such small products wait longer than they work
        choice = problem.choose(trunks, mirror)
        head, scores = problem.finish(choice)
    report, interval = _report(output, scores, targets)
    training = Training(
        head=TrainedHead(
            attribute,
            output,
            choice.trunk.name,
            choice.trunk.identity,
            head.kernel.astype(np.float32),
            head.bias.astype(np.float32),
            problem.bounds,
        ),
        data=data.name,
        report=report,
        interval=interval,
        baselines=dict(_baselines(output, attribute, targets, features)),
        trunk=choice.trunk.name,
        trunks=choice.figures,
        counts=counts,
        mirrored=choice.mirrored,
        left_out=sifted.left_out,
        doubts=_doubts(output, scores, targets, rows, data),
    )
    training = replace(training, warnings=list(_warnings(training, sifted, groups, classes)))
    if full:
        starts = (one for one in SINGLE_TRUNKS if one in trunks and one.name in VARIETIES)
        start = min(starts, key=choice.rank)
        contest = compete(
            problem,
            choice,
            training.head,
            scores,
            trunk=start,
            crops=cut_crops(data, looks, rows, start.crop),
            classes=classes,
            groups=[groups[row] for row in rows],
            engine=gatherer.create_engine(),
            plan=Plan(minutes=minutes),
            progress=steps,
        )
        training = _with_contest(training, contest, problem)
    made = training.head
    if shares is not None:
        seen = np.bincount(classes) / len(classes)
        bias = fitting.with_priors(made.bias.astype(np.float64), seen, shares)
        made = replace(made, bias=bias.astype(np.float32))
    return replace(training, head=replace(made, notes=_notes(training, choice, priors)))


def _with_contest(training: Training, contest: Contest, problem: Problem) -> Training:
    """Add what came out, and take all layers if they are better."""
    targets = problem.targets[contest.rows]
    report, interval = _report(problem.output, contest.scores, targets)
    others, _ = _report(problem.output, contest.head_scores, targets)
    full = Full(
        contest.head.trunk,
        report,
        interval,
        others.accuracy if isinstance(others, ClassificationReport) else others.mae,
        contest.epochs,
        contest.best,
        contest.is_better,
    )
    return replace(training, full=full, head=contest.head if full.kept else training.head)


class _Sifted(NamedTuple):
    """The pictures to learn from.

    Attributes:
        rows: Their numbers in the set.
        targets: Label or value of every picture of the set, or None.
        left_out: Why a picture was left out, by its name.
        contradictions: Number of pictures that are there under two labels.
        copies: Number of pictures that repeat another one under the same label.
        crowded: Number of pictures with several faces.
    """

    rows: list[int]
    targets: Sequence[Target | None]
    left_out: dict[str, str]
    contradictions: int
    copies: int
    crowded: int


def _find_trunks(name: str) -> list[AnyTrunk]:
    if name == "auto":
        return [trunk for trunk in TRUNKS.values() if not trunk.private]
    known = name.replace("-", "_")
    if known not in TRUNKS:
        raise UnknownNameError(describe_unknown("trunk", name, ["auto", *TRUNKS]))
    return [TRUNKS[known]]


def _groups(data: LabelledSet, group: str | int | None, path: Path | None) -> Sequence[Hashable]:
    """Return the group of each picture; without a grouping, each is one of its own."""
    if group is None:
        return range(len(data))
    if group in data.groups:
        return data.groups[str(group)]
    if not str(group).isdecimal():
        known = [*data.groups, "a number: the level of folders below the set's"]
        raise OptionError(f"{data.name}: {describe_unknown('group', str(group), known)}")
    level = int(group)
    found: list[Hashable] = []
    for picture in data.pictures:
        parts = _folders(picture, path)
        if not 1 <= level <= len(parts):
            raise OptionError(
                f"{_name(picture, 0)}: does not lie {level} folders deep, as --group {level} says"
            )
        found.append(parts[level - 1])
    return found


def _folders(picture: ImageSource, path: Path | None) -> tuple[str, ...]:
    if path is None or not isinstance(picture, str | os.PathLike):
        return ()
    folder = path if path.is_dir() else path.parent
    try:
        return Path(picture).relative_to(folder).parts[:-1]
    except ValueError:
        return ()


def _to_target(truth: str | float | None, unit: str | None, name: str) -> Target | None:
    if truth is None or truth == "":
        return None
    if unit is None:
        return str(truth)
    try:
        value = float(truth)
    except ValueError as error:
        raise OptionError(
            f"{name}: {truth!r} is not a number; without --unit, labels are learned"
        ) from error
    if not np.isfinite(value):
        raise OptionError(f"{name}: {truth!r} is not a finite number")
    return value


def _sift(data: LabelledSet, looks: Sequence[Look], targets: Sequence[Target | None]) -> _Sifted:
    """Leave out what nothing can be learned from, and say why."""
    left_out: dict[str, str] = {}
    by_content: dict[str, list[int]] = {}
    names = [_name(picture, row) for row, picture in enumerate(data.pictures)]
    for row, look in enumerate(looks):
        if look.problem:
            left_out[names[row]] = look.problem
        elif targets[row] is None:
            left_out[names[row]] = "it has no label"
        else:
            by_content.setdefault(look.content, []).append(row)
    rows: list[int] = []
    contradictions = copies = 0
    for same in by_content.values():
        different = list(dict.fromkeys(_text(targets[row]) for row in same))
        if len(different) > 1:
            contradictions += len(same)
            for row in same:
                left_out[names[row]] = f"the same picture is there as {' and as '.join(different)}"
            continue
        rows.append(same[0])
        copies += len(same) - 1
        for row in same[1:]:
            left_out[names[row]] = f"it repeats {names[same[0]]}"
    rows.sort()
    crowded = sum(looks[row].num_faces > 1 for row in rows)
    return _Sifted(rows, targets, left_out, contradictions, copies, crowded)


def _to_output(
    targets: Sequence[Target | None], unit: str | None, name: str, path: Path | None
) -> Labels | Unit:
    """Return what is to be learned, if there are enough pictures of it.

    Raises:
        OptionError: There are not.
    """
    if unit is not None:
        output: Labels | Unit = Unit(unit)
    else:
        found = sorted({str(target) for target in targets if target is not None})
        labels = [*found, *_empty_folders(path, found)]
        if len(labels) < 2:
            raise OptionError(
                f"{name}: has {f'only the label {labels[0]}' if labels else 'no label'}; at least "
                "two are needed, each with pictures"
            )
        if len(labels) > trained.MAX_LABELS:
            raise OptionError(
                f"{name}: has {len(labels)} labels; at most {trained.MAX_LABELS} can be learned; "
                "numbers are learned with --unit"
            )
        output = Labels(labels)
    _check_counts(targets, output, name)
    return output


def _check_counts(
    targets: Sequence[Target | None], output: Labels | Unit, name: str
) -> dict[str, int]:
    """Return the number of pictures of each label, or of all for an estimate, if that is enough.

    Raises:
        OptionError: It is not.
    """
    known = [target for target in targets if target is not None]
    if isinstance(output, Unit):
        if len(known) < MIN_VALUES:
            raise OptionError(
                f"{name}: {len(known)} pictures can be learned from; at least {MIN_VALUES} are "
                "needed for an estimate"
            )
        if len(set(known)) < 2:
            raise OptionError(f"{name}: all pictures have the same value; nothing can be learned")
        return {output.name: len(known)}
    counted = Counter(map(str, known))
    counts = {label: counted[label] for label in output.names}
    few = ", ".join(f"{one} ({count})" for one, count in counts.items() if count < MIN_PICTURES)
    if few:
        raise OptionError(
            f"{name}: too few pictures with a face of {few}; each label needs at least "
            f"{MIN_PICTURES}: add pictures, or take the label away"
        )
    return counts


def _empty_folders(path: Path | None, labels: Sequence[str]) -> Iterator[str]:
    """Yield the labels whose folder is there, without a picture."""
    if path is not None and path.is_dir():
        for folder in sorted(path.iterdir()):
            if folder.is_dir() and not folder.name.startswith(".") and folder.name not in labels:
                yield folder.name


def _to_numbers(targets: Sequence[Target | None], output: Labels | Unit) -> NDArray[Any]:
    """Return (N,) indices of labels, or values."""
    if isinstance(output, Unit):
        return np.array(targets, np.float64)
    position = {label: index for index, label in enumerate(output.names)}
    return np.array([position[str(target)] for target in targets], np.int_)


def _strata(values: Floats) -> NDArray[np.int_]:
    """Return a class for each value, so that every fold gets small and large ones."""
    borders = np.quantile(values, np.arange(1, 5) / 5)
    return np.searchsorted(borders, values).astype(np.int_)


def _parse_priors(priors: Priors, labels: Labels | Unit) -> Floats:
    """Return (C,) shares that sum to 1."""
    if isinstance(labels, Unit):
        raise OptionError("priors are for labels; an estimate has none")
    if priors == "equal":
        return np.full(len(labels.names), 1 / len(labels.names))
    given = dict(_pairs(priors)) if isinstance(priors, str) else dict(priors)
    if set(given) != set(labels.names) or not all(0 < share < np.inf for share in given.values()):
        example = ",".join(f"{label}={1 / len(labels.names):.2g}" for label in labels.names)
        raise OptionError(
            f"priors are {priors!r}; give 'equal', or a share above 0 for each label: {example}"
        )
    shares = np.array([given[label] for label in labels.names], np.float64)
    return shares / shares.sum()


def _pairs(text: str) -> Iterator[tuple[str, float]]:
    for part in text.split(","):
        label, _, share = part.rpartition("=")
        try:
            yield label.strip(), float(share)
        except ValueError:
            yield label.strip(), 0.0  # which is refused


def _report(
    output: Labels | Unit, scores: Floats, targets: NDArray[Any]
) -> tuple[ClassificationReport | EstimateReport, tuple[float, float]]:
    """Return the figures of the held-out answers, and the interval of the main one."""
    if isinstance(output, Labels):
        report = report_classes(scores, targets, output.names)
        return report, report.accuracy_interval
    estimates = report_estimates(scores[:, 0], targets, output.name, std=scores[:, 1])
    return estimates, estimates.mae_interval


def _baselines(
    output: Labels | Unit, attribute: str, targets: NDArray[Any], features: NDArray[np.float32]
) -> Iterator[tuple[str, float]]:
    """Yield what simpler answers would have reached."""
    if isinstance(output, Unit):
        yield "always the median", float(np.abs(targets - np.median(targets)).mean())
        if attribute == AgeAnalyzer.attribute and output == AgeAnalyzer.output:
            ages = _builtin_scores(AgeAnalyzer, features) @ AGES[:NUM_AGES]
            yield f"{BUILT_IN} age", float(np.abs(ages - targets).mean())
        return
    counts = np.bincount(targets)
    yield f"always {output.names[int(counts.argmax())]}", float(counts.max() / counts.sum())
    for analyzer in (EmotionAnalyzer, GenderAnalyzer):
        known = {label.casefold(): index for index, label in enumerate(analyzer.output.names)}
        if all(label.casefold() in known for label in output.names):
            columns = [known[label.casefold()] for label in output.names]
            answers = _builtin_scores(analyzer, features)[:, columns].argmax(axis=1)
            yield f"{BUILT_IN} {analyzer.attribute}", float((answers == targets).mean())


def _builtin_scores(
    analyzer: type[BuiltinAnalyzer], features: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the probabilities that a built-in analyzer gives."""
    head = SoftmaxHead.from_network(load_builtin(analyzer.network), analyzer.layer)
    return head(features_of(TRUNKS[analyzer.network], features)[:, 0])


def _doubts(
    output: Labels | Unit,
    scores: Floats,
    targets: NDArray[Any],
    rows: Sequence[int],
    data: LabelledSet,
) -> list[Doubt]:
    """Return the pictures to whose label the held-out answer says no with confidence."""
    found: list[Doubt] = []
    for index, row in enumerate(rows):
        source = _name(data.pictures[row], row)
        if isinstance(output, Labels):
            likely = int(scores[index].argmax())
            sure = float(scores[index, likely])
            if likely != targets[index] and sure >= DOUBT:
                given = output.names[int(targets[index])]
                found.append(Doubt(row, source, given, output.names[likely], sure))
        else:
            value, std = scores[index]
            distance = float(abs(value - targets[index]) / max(std, 1e-9))
            if distance >= DOUBT_STD:
                found.append(Doubt(row, source, f"{targets[index]:.4g}", f"{value:.4g}", distance))
    return sorted(found, key=lambda doubt: -doubt.confidence)


def _warnings(
    training: Training,
    sifted: _Sifted,
    groups: Sequence[Hashable],
    classes: NDArray[np.integer],
) -> Iterator[str]:
    labels = training.head.output.names if isinstance(training.head.output, Labels) else ()
    counts = training.counts
    few = [f"{label} ({count})" for label, count in counts.items() if count < FEW_PICTURES]
    if few:
        yield (
            f"few pictures of {', '.join(few)}; from {FEW_PICTURES} of a label on, the figures say "
            "more and the answers get better"
        )
    if counts and max(counts.values()) > IMBALANCE * min(counts.values()):
        yield (
            f"{max(counts, key=counts.__getitem__)} has {max(counts.values())} pictures and "
            f"{min(counts, key=counts.__getitem__)} {min(counts.values())}; rare labels are seldom "
            "answered; --priors equal changes that"
        )
    if sifted.contradictions:
        yield f"{sifted.contradictions} pictures are there under two labels; they were left out"
    if sifted.copies:
        yield f"{sifted.copies} pictures repeat others; each counts once"
    if sifted.crowded:
        yield (
            f"{sifted.crowded} pictures show several faces; the one that the detector is surest "
            "of was taken"
        )
    for index, label in enumerate(labels):
        own = {groups[row] for row, one in zip(sifted.rows, classes, strict=True) if one == index}
        if len(own) == 1:
            yield f"all pictures of {label} are of one group; its figures say nothing"
    reached = training.trunks[training.trunk]
    for name, figure in training.baselines.items():
        if name.startswith(BUILT_IN) and (figure > reached if labels else figure < reached):
            yield f"{name} does better on these pictures ({figure:.3g} against {reached:.3g})"
    simplest, figure = next(iter(training.baselines.items()))
    low, high = training.interval
    if (low <= figure) if labels else (high >= figure):
        yield (
            f"it is not clearly better than the answer that is {simplest}: these pictures, or "
            "these trunks, do not show the attribute"
        )


def _notes(training: Training, choice: Choice, priors: Priors | None) -> dict[str, Any]:
    """Return how the head was made, in JSON's own types."""
    from faceattr import __version__

    report, (low, high), how = training.report, training.interval, "in cross-validation"
    if training.full is not None and training.full.kept:
        report, (low, high) = training.full.report, training.full.interval
        how = "on pictures kept for that"
    if isinstance(report, ClassificationReport):
        quality = f"{report.accuracy:.1%} right {how} ({low:.1%} to {high:.1%})"
    else:
        quality = f"{report.mae:.3g} {report.unit} off on average {how} ({low:.3g} to {high:.3g})"
    made = training.to_dict()
    for private in ("left_out", "doubts"):  # names of the user's files
        del made[private]
    if priors is not None:
        made["priors"] = priors if isinstance(priors, str) else dict(priors)
    crop, *more_crops = (asdict(part.crop) for part in TRUNKS[training.head.trunk].parts)
    return {
        "faceattr": __version__,
        "quality": quality,
        "penalty": choice.validated.penalty,
        "crop": crop,
        **({"more_crops": more_crops} if more_crops else {}),
        **made,
    }


def _text(target: Target | None) -> str:
    return f"{target:g}" if isinstance(target, float) else str(target)


def _name(picture: ImageSource, row: int) -> str:
    """Return what to call a picture."""
    if isinstance(picture, str | os.PathLike):
        return str(picture)
    return f"picture {row}"
