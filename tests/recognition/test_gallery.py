"""Galleries enroll people, find them again, and forget them."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from recognition_people import look, paint, painted, pipeline, strangers

import faceattr
from faceattr import Gallery
from faceattr.errors import GalleryError, MissingDependencyError, NoFaceError, OptionError
from faceattr.pipeline import Pipeline
from faceattr.recognition import gallery as galleries
from faceattr.recognition.approximate import ApproximateIndex
from faceattr.recognition.gallery import FILE_NAME
from faceattr.recognition.people_file import Look, write_people
from faceattr.types import UNKNOWN, Descriptor, Face, Identification


def seen(seed: int, number: int = 9) -> Descriptor:
    return Descriptor(look(seed, number), private=True)


def of_three() -> Gallery:
    gallery = Gallery()
    gallery.add_vectors(
        ["ada", "ada", "bob", "cleo"], np.stack([look(1), look(1, 1), look(2), look(3)])
    )
    return gallery


def test_a_face_is_found_by_its_person() -> None:
    gallery = of_three()
    assert gallery.people == {"ada": 2, "bob": 1, "cleo": 1}
    for seed, name in ((1, "ada"), (2, "bob"), (3, "cleo")):
        first, *others = gallery.search(seen(seed))
        assert first.name == name
        assert first.probability > 0.9
        assert len(others) == 2
        assert all(one.probability < 0.05 for one in others)
    assert len(gallery.search(seen(1), top=1)) == 1


def test_somebody_else_is_unknown() -> None:
    gallery = of_three()
    known, stranger = gallery.identify([seen(2), seen(4)])
    assert isinstance(known, Identification)
    assert known.label == "bob"
    assert stranger.label == UNKNOWN
    assert stranger.confidence > 0.9
    assert known.score > stranger.score + 2
    assert sum(stranger.scores.values()) == pytest.approx(1, abs=1e-6)


def test_an_empty_gallery_knows_nobody() -> None:
    assert Gallery().search(seen(1)) == []
    (nobody,) = Gallery().identify([seen(1)])
    assert nobody == Identification({UNKNOWN: 1.0})
    assert of_three().identify([]) == []


def test_the_odds_are_shared_by_all_people() -> None:
    few, many = of_three(), of_three()
    many.add_vectors([f"x{index}" for index in range(30)], strangers(1, 30))
    (one,), (other,) = few.search(seen(2), top=1), many.search(seen(2), top=1)
    assert one.score == pytest.approx(other.score, abs=1e-4)
    logit = [np.log(p.probability / (1 - p.probability)) for p in (one, other)]
    assert logit[0] - logit[1] == pytest.approx(np.log(33 / 3), abs=0.1)
    with pytest.raises(OptionError, match="odds is -1; it must be above 0"):
        few.search(seen(1), odds=-1)
    with pytest.raises(OptionError, match="top is 0; it must be at least 1"):
        few.search(seen(1), top=0)


def test_a_search_in_blocks_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = of_three().search(seen(3), top=3)
    monkeypatch.setattr(galleries, "BLOCK", 2)
    for one, other in zip(of_three().search(seen(3), top=3), whole, strict=True):
        assert one.name == other.name
        assert one.score == pytest.approx(other.score, abs=1e-4)


def test_only_those_with_the_largest_cosines_are_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = of_three()
    gallery.add_vectors([f"x{index}" for index in range(50)], strangers(0, 50, seed=7))
    every = gallery.search(seen(2), top=2)
    monkeypatch.setattr(galleries, "SHORTLIST", 10)
    assert [one.name for one in gallery.search(seen(2), top=2)] == [one.name for one in every]
    assert len(gallery.search(seen(2), top=20)) == 20


def test_an_approximate_search_gives_the_same_answers_in_the_same_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("faiss", reason="needs pip install 'faceattr[faiss]'")
    monkeypatch.setattr(galleries, "APPROXIMATE", 1000)
    monkeypatch.setattr(galleries, "SHORTLIST", 100)
    exact, approximate = Gallery(), Gallery(approximate=True)
    vectors = np.concatenate([strangers(group, 200) for group in range(5)])
    names = [f"x{index}" for index in range(len(vectors))]
    looked: list[int] = []
    nearest = ApproximateIndex.nearest

    def count(self: ApproximateIndex, vector: NDArray[np.float32], count: int) -> NDArray[np.intp]:
        looked.append(count)
        return nearest(self, vector, count)

    monkeypatch.setattr(ApproximateIndex, "nearest", count)
    for gallery in (exact, approximate):
        gallery.add_vectors(names, vectors)
    found = 0
    for index in range(0, len(names), 50):
        face = Descriptor(vectors[index], private=True)
        (one, *_), (other, *_) = exact.search(face), approximate.search(face)
        assert one.name == names[index]
        if one.name == other.name:
            found += 1
            assert other.score == pytest.approx(one.score, abs=1e-4)
            assert other.probability == pytest.approx(one.probability, abs=0.01)
    assert found >= 19  # of 20
    assert looked == [100] * 20
    approximate.remove(names[0])  # and what was made for the search goes with it
    assert names[0] not in {one.name for one in approximate.search(face, top=100)}


FORKED = """
import os
from recognition_people import strangers
from faceattr.recognition.approximate import ApproximateIndex

people = strangers(0, 2000)
ApproximateIndex(people)
if not (child := os.fork()):
    os._exit(ApproximateIndex(people[:1000]).nearest(people[7], 1)[0])
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_makes_an_index_of_its_own() -> None:
    pytest.importorskip("faiss", reason="needs pip install 'faceattr[faiss]'")
    paths = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        timeout=240,
        check=True,
    )
    assert done.stdout.split() == [b"7"]


def test_few_people_are_searched_in_full_all_the_same(tmp_path: Path) -> None:
    pytest.importorskip("faiss", reason="needs pip install 'faceattr[faiss]'")
    of_three().save(tmp_path / "people.gallery")
    for way in (Gallery.open, Gallery.load):
        gallery = way(tmp_path / "people.gallery", approximate=True)
        assert gallery.search(seen(2)) == of_three().search(seen(2))


def test_an_approximate_search_needs_faiss(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    of_three().save(tmp_path / "people.gallery")
    for way in (Gallery.open, Gallery.load):
        with pytest.raises(MissingDependencyError, match=r"pip install 'faceattr\[faiss\]'"):
            way(tmp_path / "people.gallery", approximate=True)


def test_a_large_gallery_is_its_own_cohort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(galleries, "OWN_COHORT", 100)
    gallery = of_three()
    gallery.add_vectors([f"x{index}" for index in range(200)], strangers(0, 200, seed=7))
    known, stranger = gallery.identify([seen(3), seen(4)])
    assert (known.label, stranger.label) == ("cleo", UNKNOWN)


def test_pictures_and_faces_can_be_added() -> None:
    gallery = Gallery()
    assert gallery.add("ada", painted(1), painted(1, 1), pipeline=pipeline()) == 2
    (face,) = pipeline().analyze(painted(2))
    assert gallery.add("bob", face) == 1
    assert gallery.identify([face])[0].label == "bob"
    with pytest.raises(NoFaceError, match="no face was found"):
        gallery.add("cleo", np.zeros((9, 9, 3), np.uint8), pipeline=pipeline())
    assert gallery.people == {"ada": 2, "bob": 1}  # nothing is added by half


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 201, "unknown"])
def test_what_cannot_be_a_name_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="cannot be a person's"):
        Gallery().add_vectors([name], look(1)[None])


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(OptionError, match=r"shape \(1, 3\); give one of 128 finite"):
        Gallery().add_vectors(["ada"], np.ones((1, 3)))
    with pytest.raises(OptionError, match="finite"):
        Gallery().add_vectors(["ada"], np.full((1, 128), np.nan))
    with pytest.raises(OptionError, match="2 sources for 1 names"):
        Gallery().add_vectors(["ada"], look(1)[None], sources=["a", "b"])


def test_a_removed_person_leaves_nothing_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "people.npz"
    of_three().save(path)
    assert look(2).tobytes() in path.read_bytes()
    with Gallery.edit(path) as gallery:
        assert gallery.remove("bob") == 1
    content = path.read_bytes()
    assert look(2).tobytes() not in content
    assert b"bob" not in content
    assert Gallery.load(path).people == {"ada": 2, "cleo": 1}
    assert [one.name for one in tmp_path.iterdir() if not one.name.startswith(".")] == [path.name]
    with pytest.raises(GalleryError, match="unknown person 'bop'; did you mean 'bob'"):
        of_three().remove("bop")


def test_a_saved_gallery_is_the_same_and_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "people.npz"
    of_three().save(path)
    assert Gallery.load(path) == of_three() == Gallery.open(path)
    assert Gallery.load(path) != Gallery()
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0


def test_after_an_error_nothing_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "people.npz"
    of_three().save(path)

    def fail_halfway() -> None:
        with Gallery.edit(path) as gallery:
            gallery.remove("ada")
            gallery.add("unknown")

    with pytest.raises(OptionError):
        fail_halfway()
    assert Gallery.load(path) == of_three()


ADD_ONE = """
import sys
import numpy as np
from faceattr import Gallery
path, seed = sys.argv[1:]
with Gallery.edit(path) as gallery:
    gallery.add_vectors([f"p{seed}"], np.eye(128, dtype=np.float32)[[int(seed)]])
"""


def test_processes_that_edit_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "people.npz"
    commands = [[sys.executable, "-c", ADD_ONE, str(path), str(seed)] for seed in range(3)]
    workers = [subprocess.Popen(command) for command in commands]
    assert [worker.wait() for worker in workers] == [0, 0, 0]
    assert sorted(Gallery.load(path).people) == ["p0", "p1", "p2"]


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.npz"
    of_three().save(path)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(content)
        at = int(rng.integers(len(content)))
        match rng.integers(3):
            case 0:
                damaged[at] ^= 1 << int(rng.integers(8))
            case 1:
                del damaged[at:]
            case _:
                damaged[at:at] = rng.bytes(5)
        path.write_bytes(damaged)
        try:  # zip has bytes that say nothing, so some damages do not matter
            assert Gallery.load(path) == of_three()
        except GalleryError as error:
            assert "people.npz cannot be read as a gallery" in str(error)  # noqa: PT017


def test_files_of_something_else_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.npz"
    with pytest.raises(GalleryError, match=r"people\.npz cannot be read as a gallery: .*No such"):
        Gallery.open(path)
    np.savez(path, numbers=np.arange(3))
    with pytest.raises(GalleryError, match="cannot be read as a gallery"):
        Gallery.load(path)
    np.savez(path, people=np.array([{}], object), descriptors=np.ones(3), sha256=np.ones(3))
    with pytest.raises(GalleryError, match="Object arrays cannot be loaded"):
        Gallery.load(path)
    path.write_bytes(pickle.dumps(of_three()))
    with pytest.raises(GalleryError, match="cannot be read as a gallery"):
        Gallery.load(path)


def test_a_file_with_names_that_a_terminal_would_obey_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "people.npz"
    write_people(path, [Look("ada\x1b[2J")], look(1)[None])
    with pytest.raises(GalleryError, match="names that cannot be a person's"):
        Gallery.load(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    paint(tmp_path / "people" / "ada" / "1.png", 1)
    paint(tmp_path / "people" / "ada" / "2.png", 1, 1)
    paint(tmp_path / "people" / "bob" / "1.png", 2)
    return tmp_path / "people"


def test_a_folder_is_enrolled_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "bob" / "black.png").write_bytes(
        faceattr.results.encode_image(np.zeros((9, 9, 3), np.uint8), ".png")
    )
    with caplog.at_level(logging.WARNING):
        gallery = Gallery.open(folder, pipeline=pipeline())
    assert gallery.people == {"ada": 2, "bob": 1}
    assert "black.png: no face was found; it is left out" in caplog.text
    (folder / "bob" / "black.png").unlink()
    nothing = Pipeline([], detector="haar")  # would find nobody
    assert Gallery.open(folder, pipeline=nothing) == gallery == Gallery.load(folder / FILE_NAME)


def test_a_gallery_follows_its_folder(folder: Path) -> None:
    Gallery.open(folder, pipeline=pipeline())
    paint(folder / "cleo" / "1.png", 3)
    (folder / "ada" / "2.png").unlink()
    (folder / "bob" / "1.png").unlink()
    paint(folder / "bob" / "1.png", 4)
    os.utime(folder / "bob" / "1.png", ns=(1, 1))
    gallery = Gallery.open(folder, pipeline=pipeline())
    assert gallery.people == {"ada": 1, "bob": 1, "cleo": 1}
    assert gallery.identify([seen(4)])[0].label == "bob"
    assert gallery.identify([seen(2)])[0].label == UNKNOWN
    assert look(2).tobytes() not in (folder / FILE_NAME).read_bytes()


def test_a_folder_need_not_be_written_to(folder: Path) -> None:
    gallery = Gallery.open(folder, pipeline=pipeline(), store=False)
    assert gallery.people == {"ada": 2, "bob": 1}
    assert not (folder / FILE_NAME).exists()


def test_the_gallery_of_a_folder_is_edited_by_its_pictures(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="follows its pictures"), Gallery.edit(folder):
        pass
    (tmp_path / "empty").mkdir()
    with pytest.raises(GalleryError, match="has no folders; a gallery has one for each person"):
        Gallery.open(tmp_path / "empty")


def test_a_pipeline_names_faces(folder: Path) -> None:
    gallery = Gallery.open(folder, pipeline=pipeline())
    reader = pipeline()
    naming = Pipeline(reader.options.chosen, detector=reader.options.detector, gallery=gallery)
    assert naming.columns == ["identity", "identity_confidence", "identity_score"]
    (face,) = naming.analyze(painted(2, 5))
    identity = face.classification("identity")
    assert isinstance(identity, Identification)
    assert face.text("identity").startswith("bob ")
    assert "vector" not in str(face.to_dict())
    assert face.to_dict()["attributes"]["identity"]["label"] == "bob"
    (crop,) = naming.analyze_crops([painted(7)])
    assert str(crop["identity"]).startswith("unknown ")


def test_a_gallery_needs_an_identity_and_a_path_must_be_opened(folder: Path) -> None:
    with pytest.raises(OptionError, match="names what the action 'identity' reads; add"):
        Pipeline(["emotion"], gallery=Gallery())
    with pytest.raises(OptionError, match="give a Gallery here"):
        Pipeline(["identity"], gallery=str(folder))


def test_the_front_door_opens_the_gallery_of_a_path(folder: Path) -> None:
    Gallery.open(folder, pipeline=pipeline())
    reader = pipeline()
    for _ in range(2):
        (face,) = faceattr.analyze(
            painted(1, 4),
            reader.options.chosen,
            detector=reader.options.detector,
            gallery=folder,
        )
        assert face.text("identity").startswith("ada ")


def test_a_face_with_a_name_only_cannot_be_searched() -> None:
    named = Face((0, 0, 1, 1), 0.9, attributes={"identity": Identification({UNKNOWN: 1.0})})
    with pytest.raises(OptionError, match="without a gallery"):
        of_three().search(named)
