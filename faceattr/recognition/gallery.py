"""Galleries: people by the descriptors of their pictures, and who a face is among them."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from faceattr.analyzers.identity import to_unit_length
from faceattr.arguments import explained
from faceattr.errors import GalleryError, OptionError, describe_unknown
from faceattr.images import ImageSource, describe_source, find_images, is_inline
from faceattr.networks.architectures.dlib_face import NUM_OUTPUTS
from faceattr.options import PipelineOptions, StreamOptions
from faceattr.recognition.approximate import ApproximateIndex, import_faiss
from faceattr.recognition.faces import default_pipeline, describe_each, vector_of
from faceattr.recognition.people_file import (
    MAX_NAME,
    Look,
    is_name,
    locked,
    read_people,
    write_people,
)
from faceattr.recognition.scores import (
    Cohort,
    Norms,
    Vectors,
    own_cohort,
    score,
    shipped_cohort,
)
from faceattr.types import UNKNOWN, Descriptor, Face, Identification

if TYPE_CHECKING:
    from typing_extensions import Self

    from faceattr.pipeline import Pipeline

Options = TypeVar("Options", PipelineOptions, StreamOptions)

logger = logging.getLogger(__name__)

FILE_NAME = "faceattr-gallery.npz"  # in a folder of people
APPROXIMATE = 100_000  # people, from which on an index is worth its making
OWN_COHORT = 1000  # people, from which on they are each other's cohort
SHORTLIST = 1000  # people whose scores are computed
BLOCK = 8192  # people that are compared at once
NUM_CANDIDATES = 3  # named with their probabilities


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody in a gallery whom a face may show.

    Attributes:
        name: Who it is.
        score: Normalized score; that of different people is about 0 or less.
        probability: That the face shows this person, in [0, 1]; those of all people and of
            somebody unknown sum to 1.
    """

    name: str
    score: float
    probability: float


class Gallery:
    """People, each with the descriptors of one or more pictures of them.

    A face is compared with the mean of each person's descriptors. From 1000 people on, they are
    the strangers by whom scores are normalized; with fewer, statistics that ship with faceattr
    take their place. The search compares a face with everybody, unless an approximate one is asked
    for.

    Descriptors are biometric data: enroll people who have agreed to it. `models/identity` says
    what this must not be used for.

    Args:
        approximate: From 100,000 people on, search by an index, which takes a fraction of the time
            and misses one person in a hundred or so. It is made at the first search, in memory
            only, and anew after each change. Needs ``faceattr[faiss]``.

    Raises:
        MissingDependencyError: faiss is not installed.
    """

    def __init__(self, *, approximate: bool = False) -> None:
        if approximate:
            import_faiss()
        self._approximate = approximate
        self._looks: list[Look] = []
        self._vectors: Vectors = np.empty((0, NUM_OUTPUTS), np.float32)
        self._index: _Index | None = None

    @classmethod
    @explained
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        pipeline: Pipeline | None = None,
        store: bool = True,
        approximate: bool = False,
    ) -> Self:
        """Return the gallery in a file, or that of a folder with one folder of pictures per person.

        The faces of a folder are enrolled once and stored in it, in ``faceattr-gallery.npz``; the
        next time only pictures that are new or have changed are read, and what belongs to removed
        ones is removed. A picture without a face is left out with a warning; of several faces the
        most confident one counts.

        Args:
            path: The file or folder.
            pipeline: Reads the pictures; by default one with the default detector.
            store: Whether to store what was enrolled from a folder.
            approximate: As in `Gallery`.

        Raises:
            GalleryError: There is neither, or the file cannot be read.
            MissingDependencyError: As in `Gallery`.
        """
        path = Path(path)
        if not path.is_dir():
            return cls.load(path, approximate=approximate)
        file = path / FILE_NAME
        if not store:
            gallery = cls._load_or_begin(file, approximate)
            gallery._follow(path, pipeline or default_pipeline())
            return gallery
        try:
            with locked(file):
                gallery = cls._load_or_begin(file, approximate)
                if gallery._follow(path, pipeline or default_pipeline()):
                    gallery.save(file)
        except GalleryError as error:
            if os.access(path, os.W_OK):
                raise
            logger.warning("%s; its people are enrolled anew each time", error)
            return cls.open(path, pipeline=pipeline, store=False, approximate=approximate)
        return gallery

    @classmethod
    @explained
    def load(cls, path: str | os.PathLike[str], *, approximate: bool = False) -> Self:
        """Return the gallery in a file that `save` has written.

        Args:
            path: The file.
            approximate: As in `Gallery`.

        Raises:
            GalleryError: The file cannot be read, is damaged, or is not a gallery.
            MissingDependencyError: As in `Gallery`.
        """
        gallery = cls(approximate=approximate)
        gallery._looks, gallery._vectors = read_people(Path(path))
        return gallery

    @classmethod
    def _load_or_begin(cls, path: Path, approximate: bool) -> Self:
        exists = path.exists()
        return cls.load(path, approximate=approximate) if exists else cls(approximate=approximate)

    @classmethod
    @contextmanager
    def edit(cls, path: str | os.PathLike[str]) -> Iterator[Self]:
        """Yield the gallery in a file, a new one if there is none, and save it at the end.

        Other processes that edit it wait; those that read it see it before or after all changes.
        After an error nothing is saved.

        Raises:
            GalleryError: The file cannot be read or written, or is a folder of pictures.
        """
        path = Path(path)
        if path.is_dir():
            raise GalleryError(
                f"{path} is a folder, whose gallery follows its pictures; add or remove those"
            )
        with locked(path):
            gallery = cls._load_or_begin(path, approximate=False)
            yield gallery
            gallery.save(path)

    @explained
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the gallery to a file, in one step.

        Raises:
            GalleryError: The file cannot be written.
        """
        write_people(Path(path), self._looks, self._vectors)

    @property
    def people(self) -> dict[str, int]:
        """Number of enrolled faces by the name of each person, in the order of enrolment."""
        return dict(Counter(look.name for look in self._looks))

    def __len__(self) -> int:
        return len(self.people)

    @explained
    def add(self, name: str, *faces: ImageSource | Face, pipeline: Pipeline | None = None) -> int:
        """Enroll faces of a person, and return how many faces there are of that person now.

        Args:
            name: Who it is.
            faces: Pictures, of which the most confident face counts, or faces with an identity.
            pipeline: Reads the pictures; by default one with the default detector.

        Raises:
            OptionError: The name is empty, too long or ``"unknown"``.
            ImageError: A picture cannot be read.
            NoFaceError: Nobody is on a picture.
        """
        _check_name(name)
        pictures = [one for one in faces if not isinstance(one, Face)]
        read = describe_each(pictures, pipeline or default_pipeline())
        vectors, looks = [], []
        for one in faces:
            if isinstance(one, Face):
                vectors.append(vector_of(one))
                looks.append(Look(name))
            else:
                vectors.append(vector_of(next(read)))
                looks.append(Look(name, _source_of(one)))
        self._enroll(looks, vectors)
        return self.people.get(name, 0)

    @explained
    def add_vectors(
        self, names: Sequence[str], vectors: NDArray[np.floating], *, sources: Sequence[str] = ()
    ) -> None:
        """Enroll descriptors that were computed elsewhere.

        Args:
            names: Whose each of them is.
            vectors: (N, 128); scaled to length 1 here.
            sources: Where each of them is from; empty if that is not known.

        Raises:
            OptionError: Numbers or shapes do not fit, or a name cannot be one.
        """
        if np.shape(vectors) != (len(names), NUM_OUTPUTS) or not np.isfinite(vectors).all():
            raise OptionError(
                f"vectors are of shape {np.shape(vectors)}; give one of {NUM_OUTPUTS} finite "
                f"numbers for each of the {len(names)} names"
            )
        if sources and len(sources) != len(names):
            raise OptionError(f"there are {len(sources)} sources for {len(names)} names")
        for name in set(names):
            _check_name(name)
        origins = sources or [""] * len(names)
        looks = [Look(*pair) for pair in zip(names, origins, strict=True)]
        self._enroll(looks, to_unit_length(vectors))

    @explained
    def remove(self, name: str) -> int:
        """Remove a person and all that is stored of them; return how many faces that were.

        Raises:
            GalleryError: There is nobody of that name.
        """
        if name not in self.people:
            raise GalleryError(describe_unknown("person", name, list(self.people)))
        return self._keep([look.name != name for look in self._looks])

    @explained
    def search(
        self, face: Face | Descriptor, *, top: int = 5, odds: float = 1.0
    ) -> list[Candidate]:
        """Return the people who are most like a face, the likeliest first.

        Args:
            face: A face with an identity, or its descriptor.
            top: How many people to return.
            odds: Of the face showing anybody in the gallery, before it is looked at: 1 means as
                likely as not.

        Raises:
            OptionError: The face has no identity, or an option is out of range.
        """
        if top < 1:
            raise OptionError(f"top is {top}; it must be at least 1")
        _check_odds(odds)
        if not self._looks:
            return []
        return self._indexed().search(vector_of(face), top=top, odds=odds)[:-1]

    @explained
    def identify(
        self, faces: Sequence[Face | Descriptor], *, odds: float = 1.0
    ) -> list[Identification]:
        """Return who each face is, or that it is unknown, with probabilities.

        Args:
            faces: As in `search`.
            odds: As in `search`.
        """
        _check_odds(odds)
        if not faces:
            return []
        if not self._looks:
            return [Identification({UNKNOWN: 1.0}) for _ in faces]
        index = self._indexed()
        return [
            _to_identification(index.search(vector_of(face), top=NUM_CANDIDATES, odds=odds))
            for face in faces
        ]

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Gallery)
            and self._looks == other._looks
            and np.array_equal(self._vectors, other._vectors)
        )

    __hash__ = object.__hash__  # it changes, so it is remembered as an object

    def __repr__(self) -> str:
        return f"<Gallery of {len(self)} people, {len(self._looks)} faces>"

    def _follow(self, folder: Path, pipeline: Pipeline) -> bool:
        """Bring the gallery to what is in the folder; return whether anything changed."""
        there = dict(_pictures_of(folder))
        known = {(look.source, look.name, look.stamp) for look in self._looks}
        wanted = {(source, *facts) for source, facts in there.items()}
        stale = [(look.source, look.name, look.stamp) not in wanted for look in self._looks]
        removed = self._keep([not one for one in stale]) if any(stale) else 0
        new = sorted(wanted - known)
        paths = [str(folder / source) for source, _, _ in new]
        looks, vectors = [], []
        for (source, name, stamp), face in zip(
            new, describe_each(paths, pipeline, missing_ok=True), strict=True
        ):
            if face is not None:
                looks.append(Look(name, source, stamp))
                vectors.append(vector_of(face))
        self._enroll(looks, vectors)
        return bool(removed or looks)

    def _enroll(
        self, looks: Sequence[Look], vectors: Sequence[NDArray[np.float32]] | Vectors
    ) -> None:
        if looks:
            self._looks = [*self._looks, *looks]
            self._vectors = np.concatenate([self._vectors, np.asarray(vectors, np.float32)])
            self._index = None

    def _keep(self, kept: Sequence[bool]) -> int:
        """Keep some of the faces; return how many were removed."""
        self._looks = [look for look, keep in zip(self._looks, kept, strict=True) if keep]
        self._vectors = self._vectors[np.array(kept, bool)]
        self._index = None
        return len(kept) - len(self._looks)

    def _indexed(self) -> _Index:
        index = self._index
        if index is None:
            names = [look.name for look in self._looks]
            index = self._index = _Index(names, self._vectors, approximate=self._approximate)
        return index


def with_gallery(options: Options) -> Options:
    """Return the options with the gallery itself where they have the path of one.

    A gallery that was opened by an earlier call is the same object while its files are unchanged.

    Raises:
        GalleryError: There is no such gallery, or it cannot be read.
    """
    if not isinstance(options.gallery, str | os.PathLike):
        return options
    path = Path(options.gallery).absolute()
    gallery = Gallery.open(path)
    known = _opened.get(path)
    if known is None or known != gallery:
        known = _opened[path] = gallery
    return replace(options, gallery=known)


_opened: dict[Path, Gallery] = {}


class _Index:
    """One descriptor for each person, ready to be searched.

    Scores are computed for the people whose cosines are largest: of up to 1000 people all, of
    more those 1000, as nobody else can come near them.

    Args:
        names: Whose each of the descriptors is.
        vectors: (N, D) descriptors of length 1.
        approximate: Find the largest cosines by an index, if there are many people.
    """

    def __init__(
        self, names: Sequence[str], vectors: Vectors, *, approximate: bool = False
    ) -> None:
        places = {name: place for place, name in enumerate(dict.fromkeys(names))}
        sums = np.zeros((len(places), vectors.shape[1]), np.float32)
        np.add.at(sums, [places[name] for name in names], vectors)
        self._names = list(places)
        self._vectors = to_unit_length(sums)
        large = len(places) >= OWN_COHORT
        self._cohort: Cohort = own_cohort(self._vectors) if large else shipped_cohort()
        self._norms: Norms = np.full((len(places), 2), np.nan, np.float32)  # until they are needed
        many = approximate and len(places) >= APPROXIMATE
        self._lists = ApproximateIndex(self._vectors) if many else None

    def search(self, vector: NDArray[np.float32], *, top: int, odds: float) -> list[Candidate]:
        """Return the likeliest people, and at the end that the face is of somebody unknown.

        Args:
            vector: Descriptor of a face.
            top: How many people.
            odds: Of the face showing anybody here.
        """
        nearest, cosines = self._nearest(vector, max(SHORTLIST, top))
        own = self._cohort.norms(vector[None])
        scores = score(cosines, own, self._norms_of(nearest))
        prior = np.log(odds / len(self._names))  # of each person, against somebody unknown
        evidence = self._cohort.calibration.evidence(scores) + prior
        highest = max(float(evidence.max()), 0.0)
        shares = np.exp(evidence - highest)
        total = shares.sum() + np.exp(-highest)
        best = _largest(scores, top)
        found = [
            Candidate(self._names[nearest[one]], float(scores[one]), float(shares[one] / total))
            for one in best
        ]
        return [*found, Candidate(UNKNOWN, 0.0, float(np.exp(-highest) / total))]

    def _nearest(
        self, vector: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the places of people with the largest cosines, and these."""
        if self._lists is not None:
            nearest = self._lists.nearest(vector, count)
            return nearest, self._vectors[nearest] @ vector
        cosines = self._cosines(vector)
        nearest = _largest(cosines, count)
        return nearest, cosines[nearest]

    def _cosines(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the cosine with each person, by blocks that fit into the processor's cache."""
        cosines = np.empty(len(self._names), np.float32)
        for start in range(0, len(cosines), BLOCK):
            np.dot(self._vectors[start : start + BLOCK], vector, out=cosines[start : start + BLOCK])
        return cosines

    def _norms_of(self, places: NDArray[np.intp]) -> Norms:
        missing = places[np.isnan(self._norms[places, 0])]
        if len(missing):
            self._norms[missing] = self._cohort.norms(self._vectors[missing])
        return self._norms[places]


def _to_identification(candidates: Sequence[Candidate]) -> Identification:
    """Return people, the likeliest first, and at the end somebody unknown, as an attribute."""
    ordered = sorted(candidates, key=lambda one: -one.probability)
    scores = {one.name: one.probability for one in ordered}
    return Identification(scores, candidates[0].score)


def _largest(values: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Return the places of the largest values, the largest first."""
    count = min(count, len(values))
    best = np.argpartition(values, len(values) - count)[len(values) - count :]
    return best[np.argsort(-values[best], kind="stable")]


def _pictures_of(folder: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each picture, from the folder, with the name of its person and the file's stamp."""
    try:
        people = sorted(one for one in folder.iterdir() if one.is_dir() and one.name[0] != ".")
    except OSError as error:
        raise GalleryError(f"{folder} cannot be read: {error}") from error
    if not people:
        raise GalleryError(
            f"{folder} has no folders; a gallery has one for each person, with pictures of them"
        )
    for person in people:
        _check_name(person.name)
        for path in find_images([str(person)], on_error=lambda error: logger.warning("%s", error)):
            try:
                stat = os.stat(path)
            except OSError as error:
                logger.warning("%s is left out: %s", path, error)
                continue
            source = Path(path).relative_to(folder).as_posix()
            yield source, (person.name, f"{stat.st_size} {stat.st_mtime_ns}")


def _source_of(picture: ImageSource) -> str:
    if isinstance(picture, os.PathLike) or (isinstance(picture, str) and not is_inline(picture)):
        return describe_source(picture)
    return ""


def _check_name(name: str) -> None:
    if not is_name(name):
        raise OptionError(
            f"the name {name!r:.100} cannot be a person's; give 1 to {MAX_NAME} printable "
            f"characters, and not {UNKNOWN!r}"
        )


def _check_odds(odds: float) -> None:
    if not 0 < odds < float("inf"):
        raise OptionError(f"odds is {odds!r}; it must be above 0: 1 for as likely as not")
