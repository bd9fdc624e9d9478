"""deepface's find: what is found in a folder, and the file in which it keeps descriptors."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from deepface_scenes import NOBODY, WOMAN
from numpy.typing import NDArray

from faceattr.deepface import DeepFace, datastore, search
from faceattr.errors import FaceattrError, MissingDependencyError, OptionError, SinkError

NAME = "ds_model_dlib_detector_skip_aligned_normalization_base_expand_0.npz"
KEYS = [
    *("identity", "hash", "target_x", "target_y", "target_w", "target_h", "threshold"),
    *("source_x", "source_y", "source_w", "source_h", "distance", "confidence"),
]


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Describe a face by its brightest pixel, an angle; return the levels that are described."""
    seen: list[int] = []

    def embed(pixels: NDArray[Any], models: str) -> list[float]:
        level = round(255 * float(pixels.max()))
        seen.append(level)
        angle = level / 100
        return [np.cos(angle), np.sin(angle), *[0.0] * 126]

    monkeypatch.setattr(datastore, "embed", embed)
    monkeypatch.setattr(search, "embed", embed)
    return seen


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A folder with pictures of three levels, a text file and a picture that is none."""
    folder = tmp_path / "people"
    (folder / "ann").mkdir(parents=True)
    write(folder / "ann" / "1.png", 100)
    write(folder / "bob.jpg", 120)
    write(folder / "ann" / "2.PNG", 180)
    (folder / "notes.txt").write_text("no picture")
    (folder / "text.jpg").write_text("no picture either")
    return folder


def write(path: Path, level: int) -> None:
    cv2.imwrite(str(path), np.full((20, 30, 3), level, np.uint8))


def ask(folder: Path, level: int = 100, **options: Any) -> Any:
    """Return what is found for one face of that level."""
    defaults: dict[str, Any] = {"detector_backend": "skip", "return_type": "dict"}
    image = np.full((20, 30, 3), level, np.uint8)
    (found,) = DeepFace.find(image, folder, "Dlib", **(defaults | options))
    return found


def names(rows: list[Any]) -> list[str]:
    return [Path(row["identity"]).name for row in rows]


def test_the_nearest_within_the_threshold_are_found(people: Path, levels: list[int]) -> None:
    rows = ask(people)
    assert names(rows) == ["1.png", "bob.jpg"]
    assert [list(row) for row in rows] == [KEYS, KEYS]
    assert [row["distance"] for row in rows] == [0, pytest.approx(1 - np.cos(0.2), abs=1e-6)]
    assert rows[0]["confidence"] == 100
    assert (rows[0]["target_w"], rows[0]["target_h"]) == (29, 19)
    assert (rows[0]["source_w"], rows[0]["threshold"]) == (29, 0.07)
    assert rows[0]["identity"] == os.path.join(str(people), "ann", "1.png")


def test_more_or_fewer_are_found_on_request(people: Path, levels: list[int]) -> None:
    assert names(ask(people, k=1)) == ["1.png"]
    assert names(ask(people, threshold=0.001)) == ["1.png"]
    rows = ask(people, 170, similarity_search=True, distance_metric="angular")
    assert names(rows) == ["2.PNG", "bob.jpg", "1.png"]
    assert [row["threshold"] for row in rows] == [np.inf] * 3  # deepface's, in dicts only


def test_a_metric_of_your_own_gets_all_descriptors_at_once(people: Path, levels: list[int]) -> None:
    shapes = []

    def metric(known: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
        shapes.append((known.shape, new.shape))
        return np.abs(known[None, :, 0] - new[:, None, 0])

    rows = ask(people, distance_metric=metric, threshold=0.3)
    assert shapes == [((3, 128), (1, 128))]
    assert names(rows) == ["1.png", "bob.jpg"]
    with pytest.raises(OptionError, match=r"returned the shape \(3,\) for 3 known and 1 new"):
        ask(people, distance_metric=lambda known, new: known[:, 0], threshold=0.3)


def test_a_picture_is_described_once_until_it_changes(people: Path, levels: list[int]) -> None:
    ask(people)
    assert sorted(levels) == [100, 100, 120, 180]
    levels.clear()
    written = (people / NAME).stat().st_mtime_ns
    ask(people)
    assert levels == [100]  # the face that is looked for
    assert (people / NAME).stat().st_mtime_ns == written

    levels.clear()
    write(people / "bob.jpg", 60)
    os.utime(people / "bob.jpg", (1, 1))
    (people / "ann" / "1.png").unlink()
    write(people / "eve.jpeg", 90)
    assert names(ask(people)) == ["eve.jpeg"]
    assert sorted(levels) == [60, 90, 100]
    with np.load(people / NAME) as file:
        assert sorted(map(os.path.basename, file["identity"])) == ["2.PNG", "bob.jpg", "eve.jpeg"]


def test_the_folder_is_not_looked_at_unless_asked(people: Path, levels: list[int]) -> None:
    with pytest.raises(OptionError, match="knows nobody yet"):
        ask(people, refresh_database=False)
    assert not (people / NAME).exists()
    ask(people)
    write(people / "eve.png", 100)
    assert names(ask(people, refresh_database=False)) == ["1.png", "bob.jpg"]


def test_deepfaces_own_file_is_taken(people: Path, levels: list[int]) -> None:
    path = os.path.join(str(people), "bob.jpg")
    status = os.stat(path)
    properties = f"{status.st_size}-{status.st_ctime}-{status.st_mtime}"
    embedding = np.zeros((2, 128))
    embedding[0, 0] = 1  # as level 0
    arrays: dict[str, Any] = {f"target_{side}": np.array([7, 0]) for side in "xywh"}
    np.savez(
        people / NAME,
        identity=np.array([path, os.path.join(str(people), "gone.jpg")]),
        hash=np.array([hashlib.sha1(properties.encode()).hexdigest(), "0" * 40]),
        embedding=embedding,
        has_embedding=np.array([True, False]),
        **arrays,
    )
    rows = ask(people, 5)
    assert (names(rows), rows[0]["target_x"]) == (["bob.jpg"], 7)
    assert sorted(levels) == [5, 100, 180]


def test_the_file_has_deepfaces_arrays(people: Path, levels: list[int]) -> None:
    ask(people)
    with np.load(people / NAME, allow_pickle=False) as file:
        forms = {name: (file[name].dtype.kind, file[name].shape) for name in file.files}
    sides = {f"target_{side}": ("i", (3,)) for side in "xywh"}
    assert forms == {
        "identity": ("U", (3,)),
        "hash": ("U", (3,)),
        "embedding": ("f", (3, 128)),
        "has_embedding": ("b", (3,)),
        **sides,
    }


def test_descriptors_by_the_weights_in_the_wheel_have_a_file_of_their_own(
    people: Path, levels: list[int]
) -> None:
    ask(people, models="builtin", expand_percentage=5, align=False)
    assert [path.name for path in people.glob("*.npz")] == [
        "ds_model_dlib_builtin_detector_skip_unaligned_normalization_base_expand_5.npz"
    ]


class Trap:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize("kind", ["pickled", "text", "empty", "shapes", "infinite", "missing"])
def test_a_file_that_is_no_datastore_is_refused_and_stays(
    kind: str, people: Path, levels: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(people)
    ask(people)
    path = people / NAME
    with np.load(path) as file:
        arrays: dict[str, Any] = dict(file)
    if kind == "pickled":
        arrays["identity"] = np.array([Trap(), Trap(), Trap()], object)
    elif kind == "shapes":
        arrays["embedding"] = np.zeros((3, 64))
    elif kind == "infinite":
        arrays["embedding"][0, 0] = np.inf
    elif kind == "missing":
        del arrays["hash"]
    np.savez(path, **arrays)
    if kind in ("text", "empty"):
        path.write_bytes(pickle.dumps(Trap()) if kind == "text" else b"")
    before = path.read_bytes()
    with pytest.raises(OptionError, match=r"cannot be read as a datastore .* delete it"):
        ask(people)
    assert path.read_bytes() == before
    assert not (people / "trapped").exists()


def test_pictures_without_a_face_are_remembered_but_never_match(
    tmp_path: Path, levels: list[int]
) -> None:
    cv2.imwrite(str(tmp_path / "nobody.png"), NOBODY)
    cv2.imwrite(str(tmp_path / "woman.png"), WOMAN)
    for _ in range(2):
        (rows,) = DeepFace.find(
            WOMAN, tmp_path, "Dlib", detector_backend="yunet", return_type="dict"
        )
        assert names(rows) == ["woman.png"]
    assert len(levels) == 3  # two searches and one picture
    (rows,) = DeepFace.find(
        WOMAN,
        tmp_path,
        "Dlib",
        detector_backend="yunet",
        return_type="dict",
        similarity_search=True,
    )
    assert [row["distance"] for row in rows] == [0, np.inf]
    assert rows[1]["confidence"] == 51  # deepface's too


def test_a_folder_that_cannot_be_searched_is_told(tmp_path: Path, levels: list[int]) -> None:
    for folder, message in (
        (tmp_path, "no JPEG or PNG pictures there"),
        (tmp_path / "nowhere", "which is not a folder"),
        ("s3://bucket/people", "reads local folders only"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            DeepFace.find(NOBODY, folder, "Dlib", detector_backend="skip", return_type="dict")
        assert isinstance(caught.value, FaceattrError)


def test_a_file_that_cannot_be_written_is_told(
    people: Path, levels: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    ask(people)
    before = (people / NAME).read_bytes()
    write(people / "eve.png", 100)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(SinkError, match=r"\.npz cannot be written: No space left"):
        ask(people)
    assert (people / NAME).read_bytes() == before
    assert not list(people.glob(".*"))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"model_name": "ArcFace"}, "model_name is 'ArcFace'"),
        ({"datastore_format": "parquet"}, "faceattr keeps 'npz' only"),
        ({"return_type": "polars"}, "it can be 'pandas' or 'dict'"),
        ({"distance_metric": np.dot}, "needs a threshold"),
    ],
)
def test_what_find_does_not_take_is_told(
    options: dict[str, Any], message: str, people: Path
) -> None:
    defaults: dict[str, Any] = {"img_path": NOBODY, "db_path": people, "model_name": "Dlib"}
    with pytest.raises(OptionError, match=message):
        DeepFace.find(**(defaults | options))


def test_tables_need_pandas(
    people: Path, levels: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"faceattr\[pandas\].*or take 'dict'"):
        ask(people, return_type="pandas")
    assert isinstance(ask(people, return_type=None), list)


def test_tables_are_deepfaces(people: Path, levels: list[int]) -> None:
    pandas = pytest.importorskip("pandas")
    table = ask(people, return_type=None)
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == KEYS
    assert table["distance"].tolist()[0] == 0
    similar = ask(
        people,
        return_type="pandas",
        similarity_search=True,
        distance_metric=lambda a, b: float(np.abs(a - b).max()),
        threshold=0.01,
    )
    assert similar["threshold"].tolist() == [0.01] * 3  # unlike in dicts
    assert list(ask(people, 250, return_type="pandas").columns) == KEYS
