"""Options as values: checked once, hashable, and the source of the command's flags."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, cast, get_args

from faceattr.arguments import explained
from faceattr.errors import OptionError
from faceattr.images import ChannelOrder
from faceattr.labels import Groups, LabelChoice, to_groups

if TYPE_CHECKING:
    from faceattr.analyzers.base import Analyzer
    from faceattr.detectors.base import Detector
    from faceattr.recognition.gallery import Gallery

Actions: TypeAlias = "str | Analyzer | Iterable[str | Analyzer]"
"""Analyzers: one, several, or names with commas between them as in ``"emotion,age"``."""

Precision: TypeAlias = Literal["auto", "f32", "int8"]
"""Arithmetic of the networks.

``"auto"``: what is fastest here: bfloat16 where the processor has it, else ``"int8"`` on x86;
``"f32"``: the reference numbers; ``"int8"``: whole numbers in the built-in analyzers.
"""

Freeze: TypeAlias = Literal["face", "frame", "off"]
"""What a stream holds between two runs of a slow analyzer: its result for the face, the whole
frame, or nothing."""

Panel: TypeAlias = Literal["basic", "faces", "streaming", "output", "server", "limits", "advanced"]

SMALLEST_TILE = 100  # pixels
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Flag:
    """How the command line offers an option.

    Attributes:
        help: One sentence.
        panel: Group of flags under which help lists it.
        metavar: Placeholder of the value in the help, if its type says too little.
        default: The default in words, where the value itself would not say it.
        short: A short form, such as ``-a``.
        off: The flag's only form, which sets a switch to False.
    """

    help: str
    panel: Panel
    metavar: str | None = None
    default: str | None = None
    short: str | None = None
    off: str | None = None


def option(
    default: Any,
    help: str,
    panel: Panel,
    *,
    metavar: str | None = None,
    shown_default: str | None = None,
    short: str | None = None,
    off: str | None = None,
) -> Any:
    """Return a dataclass field whose metadata describe its flag."""
    flag = Flag(help, panel, metavar, shown_default, short, off)
    return field(default=default, metadata={"flag": flag})


@explained
@dataclass(frozen=True, slots=True)
class DrawOptions:
    """What is drawn of each face on annotated pictures and videos, besides its box.

    Attributes:
        labels: Whether its attributes are written beside it.
        label_size: Size of that text, in (0, 10]; 1 for one that suits the picture and the face.
        landmarks: Whether its landmarks are drawn.
        blur: Whether it is hidden behind a coarse mosaic, which cannot be undone. Faces that were
            not found stay visible.
        bars: Whether the scores of its first classification are drawn as bars, where there is room.

    Raises:
        OptionError: The size is out of range.
    """

    labels: bool = option(True, "Draw no text on pictures.", "output", off="--no-labels")
    label_size: float = option(1.0, "Size of text on pictures, 1 for the usual.", "output")
    landmarks: bool = option(False, "Draw the landmarks on pictures.", "output")
    blur: bool = option(False, "Hide the faces that are found, for good.", "output")
    bars: bool = option(False, "Draw the score of each label as a bar on pictures.", "output")

    def __post_init__(self) -> None:
        _check_number("label_size", self.label_size, above=0, high=10)


class SearchKeywords(TypedDict, total=False):
    """Keyword arguments for `SearchOptions`."""

    threshold: float | None
    min_face: float | None
    max_faces: int | None
    tile_size: int | None


@explained
@dataclass(frozen=True, slots=True)
class SearchOptions:
    """Which faces a detector reports.

    Attributes:
        threshold: Smallest confidence of a face, in [0, 1]; None for the detector's own.
        min_face: Longer side of the smallest box in pixels, or below 1 as a share of the image's
            shorter side; None for a size that suits the image and the detector.
        max_faces: Keep only the most confident ones; None for all.
        tile_size: Search larger images in overlapping squares of this side in pixels, at least
            100, and once as a whole for faces that do not fit into a square. Finds small faces
            even without `min_face`, and keeps memory low with a small one. None for no tiles.

    Raises:
        OptionError: A value is out of range.
    """

    threshold: float | None = option(
        None, "Smallest confidence of a face, 0 to 1.", "faces", shown_default="the detector's own"
    )
    min_face: float | None = option(
        None,
        "Smallest face in pixels, or below 1 as a share of the shorter side.",
        "faces",
        shown_default="by image size",
    )
    max_faces: int | None = option(
        None, "Keep at most this many faces, the most confident.", "faces", shown_default="all"
    )
    tile_size: int | None = option(
        None,
        "Search large images in square tiles of this side in pixels.",
        "faces",
        shown_default="no tiles",
    )

    def __post_init__(self) -> None:
        _check_number("threshold", self.threshold, low=0, high=1)
        _check_number("min_face", self.min_face, above=0)
        _check_integer("max_faces", self.max_faces, low=1)
        _check_integer("tile_size", self.tile_size, low=SMALLEST_TILE)

    @explained
    def over(self, defaults: SearchOptions) -> SearchOptions:
        """Return these options, with the given ones in place of those that are None."""
        return SearchOptions(
            *(
                getattr(defaults if getattr(self, one.name) is None else self, one.name)
                for one in fields(self)
            )
        )


class PipelineKeywords(SearchKeywords, total=False):
    """Keyword arguments for `PipelineOptions`, without the actions."""

    detector: str | Detector
    engine: str | None
    precision: str | None
    threads: int | None
    labels: LabelChoice | None
    min_confidence: float
    features: bool
    color: ChannelOrder
    gallery: Gallery | str | os.PathLike[str] | None


@explained
@dataclass(frozen=True, slots=True)
class PipelineOptions(SearchOptions):
    """What to find and read on images, and how; also the options of `SearchOptions`.

    Attributes:
        actions: Analyzers, or their names; empty to detect only. Text may name several, with
            commas between them. One that is given twice counts once.
        detector: Detector, or its name.
        engine: ``"openvino"`` or ``"tensorflow"``; None for ``FACEATTR_ENGINE``, else OpenVINO.
        precision: ``"auto"``, ``"f32"`` or ``"int8"``; None for ``FACEATTR_PRECISION``, else
            ``"auto"``.
        threads: Processor threads of the networks; None for as many as are fast.
        labels: Labels to keep, or a mapping from new label to the labels it merges; what is left
            out becomes the label ``other``. Applies to classifications that have all of them.
            Stored as tuples of (new label, merged labels); None for all labels.
        min_confidence: Classifications less confident than this, in [0, 1], are reported as
            uncertain (`Face.uncertain`).
        features: Whether faces carry the features of the trunks that ran (`Face.features`).
        color: Order of the channels of images that are given as arrays, ``"bgr"`` or ``"rgb"``.
            Files, bytes and PIL images state their own, and what is returned is always BGR.
        gallery: People whom the action ``"identity"`` names, instead of giving descriptors: a
            `Gallery`, or the path of its file or folder, except for `Pipeline` and `LiveAnalysis`.

    Raises:
        OptionError: A value is out of range or of a wrong type.
    """

    actions: Actions = option(
        ("emotion",),
        "Analyzers, with commas between; see `faceattr list`.",
        "basic",
        metavar="NAME,…",
        short="-a",
    )
    detector: str | Detector = option(
        "yunet", "What finds the faces; see `faceattr list`.", "basic", metavar="NAME", short="-d"
    )
    labels: LabelChoice | None = option(
        None,
        "Labels to keep, happy,sad,neutral, or groups, good=happy+surprise,bad=sad+fear; the rest "
        "becomes `other`.",
        "basic",
        metavar="LABELS",
        shown_default="all",
        short="-l",
    )
    min_confidence: float = option(
        0.0, "Show a label only if it is at least this confident, 0 to 1.", "basic"
    )
    engine: str | None = option(
        None,
        "What runs the networks.",
        "advanced",
        metavar="openvino|tensorflow",
        shown_default="openvino",
    )
    precision: str | None = option(
        None,
        "auto: the fastest arithmetic that the processor has, bfloat16 or int8; f32: the "
        "reference numbers.",
        "advanced",
        metavar="auto|f32|int8",
        shown_default="auto",
    )
    threads: int | None = option(
        None,
        "Processor threads of the networks.",
        "advanced",
        shown_default="as many as are fast",
        short="-t",
    )
    features: bool = False
    color: ChannelOrder = "bgr"
    gallery: Gallery | str | os.PathLike[str] | None = option(
        None,
        "Name faces by this gallery of people, a folder with a folder per person or a file; needs "
        "--actions identity.",
        "basic",
        metavar="PATH",
        shown_default="none",
    )

    def __post_init__(self) -> None:
        SearchOptions.__post_init__(self)
        _set(self, "actions", _to_actions(self.actions))
        if self.labels is not None:
            _set(self, "labels", tuple(to_groups(self.labels).items()))
        if isinstance(self.detector, Sequence) and not isinstance(self.detector, str):
            raise OptionError(f"detector is {self.detector!r}; give one name or one detector")
        if self.precision is not None:
            _check_word("precision", self.precision, get_args(Precision))
        if not (self.engine is None or isinstance(self.engine, str)):
            raise OptionError(f"engine is {self.engine!r:.100}; give the name of an engine")
        _check_integer("threads", self.threads, low=1)
        _check_number("min_confidence", self.min_confidence, low=0, high=1)
        _set(self, "features", bool(self.features))
        _check_word("color", self.color, get_args(ChannelOrder))
        if not (
            self.gallery is None
            or isinstance(self.gallery, str | os.PathLike)
            or callable(getattr(self.gallery, "identify", None))
        ):
            raise OptionError(f"gallery is {self.gallery!r:.100}; give a Gallery or its path")

    @property
    def groups(self) -> Groups:
        """Each new label with the labels it merges; empty if all labels are kept."""
        return dict(cast("tuple[tuple[str, tuple[str, ...]], ...]", self.labels or ()))

    @property
    def chosen(self) -> tuple[str | Analyzer, ...]:
        """The actions one by one."""
        return cast("tuple[str | Analyzer, ...]", self.actions)

    @property
    def search(self) -> SearchOptions:
        """The options of the detector alone."""
        return SearchOptions(self.threshold, self.min_face, self.max_faces, self.tile_size)


@explained
@dataclass(frozen=True, slots=True)
class ReportOptions(PipelineOptions):
    """What to read for a report: by default, all that the built-in analyzers can."""

    actions: Actions = option(
        ("emotion", "age", "gender"),
        "Analyzers, with commas between; see `faceattr list`.",
        "basic",
        metavar="NAME,…",
        short="-a",
    )


class StreamKeywords(PipelineKeywords, total=False):
    """Keyword arguments for `StreamOptions`, without the actions."""

    freeze: str
    frame_threshold: int
    time_threshold: float | None
    refresh: Mapping[str, float] | Iterable[str] | None
    smoothing: float
    detect_every: int | str
    budget: float
    max_frames: int | None
    max_fps: float | None


@explained
@dataclass(frozen=True, slots=True)
class StreamOptions(PipelineOptions):
    """What to read on streams, and how often; also the options of `PipelineOptions`.

    A fast analyzer runs on every face in every frame. A slow one, one with a `refresh`, runs on a
    face that was seen in `frame_threshold` frames in a row; its result then stands for a while.

    Attributes:
        freeze: What to hold between runs of a slow analyzer: ``"face"`` its result; ``"frame"`` the
            whole picture, where all analyzers count as slow; ``"off"`` nothing: every analyzer
            runs on every frame, without smoothing.
        frame_threshold: Frames in a row before a slow analyzer runs on a face.
        time_threshold: Seconds between runs of a slow analyzer on one face; None for each
            analyzer's own `refresh`.
        refresh: The same for single attributes, as in ``{"age": 2.0}`` or ``["age=2"]``; 0 makes
            an analyzer run on every frame. Stored as pairs.
        smoothing: Seconds after which a result counts half in the running average, at least two
            runs of a slow analyzer; 0 for the last result without averaging.
        detect_every: Detect in every n-th frame and predict the boxes in between; ``"auto"`` to
            detect in the background of a live source, as often as the budget allows.
        budget: Largest share of a live source's time in which slow analyzers work, and the same
            for a detector in the background, in [0.01, 1].
        max_frames: Stop after this many frames; None for all.
        max_fps: Skip frames that come faster than this many per second; None for no limit.

    Raises:
        OptionError: A value is out of range or of a wrong type, or two contradict each other.
    """

    freeze: str = option(
        "face",
        'What to hold between runs of a slow analyzer: "face" its result, "frame" the picture, '
        '"off" nothing.',
        "streaming",
        metavar="face|frame|off",
    )
    frame_threshold: int = option(
        5, "Frames in a row before a slow analyzer runs on a face.", "streaming"
    )
    time_threshold: float | None = option(
        None,
        "Seconds between runs of a slow analyzer on one face.",
        "streaming",
        shown_default="each analyzer's own",
    )
    refresh: Mapping[str, float] | Iterable[str] | None = option(
        None, "The same, for single attributes: age=2.", "streaming", metavar="NAME=SECONDS"
    )
    smoothing: float = option(
        0.5, "Seconds after which a result counts half in the average; 0 for none.", "streaming"
    )
    detect_every: int | str = option(
        1,
        "Detect in every n-th frame; auto: in the background of a live source.",
        "streaming",
        metavar="N|auto",
    )
    budget: float = option(
        0.5, "Share of a live source's time for slow analyzers, 0 to 1.", "streaming"
    )
    max_frames: int | None = option(
        None, "Stop after this many frames.", "streaming", shown_default="no limit"
    )
    max_fps: float | None = option(
        None,
        "Skip frames that come faster than this many per second.",
        "streaming",
        shown_default="no limit",
    )

    def __post_init__(self) -> None:
        PipelineOptions.__post_init__(self)
        _check_word("freeze", self.freeze, get_args(Freeze))
        _check_integer("frame_threshold", self.frame_threshold, low=1)
        _check_number("time_threshold", self.time_threshold, low=0)
        _set(self, "refresh", _to_refresh(self.refresh))
        if self.refresh and self.freeze != "face":
            raise OptionError(
                f"refresh is for freeze='face', not {self.freeze!r}; leave one of them out"
            )
        _check_number("smoothing", self.smoothing, low=0)
        _set(self, "detect_every", _to_detect_every(self.detect_every))
        _check_number("budget", self.budget, low=0.01, high=1)
        _check_integer("max_frames", self.max_frames, low=0)
        _check_number("max_fps", self.max_fps, above=0)

    @property
    def chosen_refresh(self) -> dict[str, float]:
        """The seconds given for single attributes."""
        return dict(cast("tuple[tuple[str, float], ...]", self.refresh))


def _to_actions(actions: object) -> tuple[Any, ...]:
    if isinstance(actions, str):
        names = [name.strip() for name in actions.split(",")]
        return tuple(dict.fromkeys(name for name in names if name))
    if hasattr(actions, "attribute"):
        listed = [actions]
    else:
        listed = _to_list(
            "actions", actions, "names of analyzers, or analyzers: ['emotion', 'age']"
        )
    parts = [_to_actions(one) if isinstance(one, str) else (one,) for one in listed]
    unique: dict[Any, Any] = {}
    for one in (one for part in parts for one in part):
        unique.setdefault(one if isinstance(one, str) else id(one), one)
    return tuple(unique.values())


def _to_refresh(refresh: Mapping[str, float] | Iterable[str] | None) -> tuple[Any, ...]:
    """Return (attribute, seconds) pairs."""
    if refresh is None:
        return ()
    if isinstance(refresh, Mapping):
        listed: list[Any] = list(refresh.items())
    elif isinstance(refresh, str):
        listed = [refresh]
    else:
        listed = _to_list("refresh", refresh, "seconds by attribute: {'age': 2.0} or ['age=2']")
    pairs = []
    for one in listed:
        try:
            if isinstance(one, tuple):
                name, seconds = one
            else:
                name, _, text = one.partition("=")
                seconds = float(text)
            pairs.append((name.strip(), seconds))
        except (AttributeError, TypeError, ValueError) as error:
            raise OptionError(f"refresh is {one!r:.100}; write it like age=2") from error
    for name, seconds in pairs:
        _check_number(f"refresh of {name!r}", seconds, low=0)
    return tuple(pairs)


def _to_detect_every(value: int | str) -> int | str:
    if isinstance(value, str):
        if value == AUTO:
            return value
        if not value.isdecimal():
            raise OptionError(f"detect_every is {value!r}; it can be a number or {AUTO!r}")
        value = int(value)
    _check_integer("detect_every", value, low=1)
    return value


def _to_list(name: str, value: object, expected: str) -> list[Any]:
    try:
        return list(value)  # type: ignore[call-overload]  # refused here if it is something else
    except TypeError as error:
        raise OptionError(f"{name} is {value!r:.100}; give {expected}") from error


def _check_word(name: str, value: object, words: Sequence[str]) -> None:
    if not (isinstance(value, str) and value in words):
        *others, last = map(repr, words)
        raise OptionError(f"{name} is {value!r:.100}; it can be {', '.join(others)} or {last}")


def _set(options: object, name: str, value: object) -> None:
    object.__setattr__(options, name, value)  # for __post_init__ of frozen dataclasses


def _check_integer(name: str, value: object, *, low: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise OptionError(f"{name} is {value!r}; it must be a whole number, at least {low}")
    _check_number(name, value, low=low)


def _check_number(
    name: str,
    value: Any,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float = math.inf,
) -> None:
    if value is None:
        return
    limits = f"above {above:g}" if above is not None else f"at least {low:g}"
    if high < math.inf:
        limits += f" and at most {high:g}"
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise OptionError(f"{name} is {value!r:.100}; it must be a number, {limits}") from error
    fits = number > above if above is not None else number >= (low or 0)
    if not (fits and number <= high and number < math.inf):
        raise OptionError(f"{name} is {value}; it must be {limits}")
