from __future__ import annotations

import shutil
from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from disks import full_disk
from numpy.typing import NDArray
from threadpoolctl import threadpool_info
from training.conftest import face_variant

import faceattr
from faceattr.analyzers.trained import trained_analyzer
from faceattr.errors import OptionError, SinkError, UnknownNameError
from faceattr.evaluation.datasets import LabelledSet
from faceattr.evaluation.metrics import ClassificationReport, EstimateReport
from faceattr.forms import Labels, Unit
from faceattr.networks.formats import trained
from faceattr.testing import check_analyzer
from faceattr.training import fitting
from faceattr.training import training as module
from faceattr.training.folds import assign_folds
from faceattr.training.problem import bounds_of
from faceattr.training.training import Training
from faceattr.types import BGRImage

QUICK: dict[str, Any] = {"trunk": "emotion", "mirror": False}  # instead of trying what is best


def test_a_folder_becomes_an_analyzer(masks: Path, tmp_path: Path, face: BGRImage) -> None:
    to = tmp_path / "mask.faceattr"
    training = faceattr.train(masks, "mask", to=to, crops=True)
    assert isinstance(training.report, ClassificationReport)
    assert training.report.accuracy == 1
    assert training.counts == {"bare": 12, "masked": 12}
    check_analyzer(training.analyzer)
    new = [face_variant(face, seed, mask=mask) for seed, mask in ((77, False), (78, True))]
    answers = faceattr.Pipeline(str(to)).analyze_crops(new)
    assert [str(answer["mask"]).split()[0] for answer in answers] == ["bare", "masked"]


def test_the_same_pictures_give_the_same_file(labelled: LabelledSet) -> None:
    one, other = (faceattr.train(labelled, "mask", **QUICK).head for _ in range(2))
    assert trained.save(one) == trained.save(other)


def test_a_fit_uses_one_thread(labelled: LabelledSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[int]] = []

    def fit_head(*arguments: Any) -> fitting.Head:
        pools = threadpool_info()
        seen.append({one["num_threads"] for one in pools if one["user_api"] == "blas"})
        return original(*arguments)

    original = fitting.fit_head
    monkeypatch.setattr(fitting, "fit_head", fit_head)
    faceattr.train(labelled, "mask", **QUICK)
    assert seen in ([{1}], [set()])  # some builds of NumPy have a BLAS without threads


def test_labels_say_what_the_file_holds(labelled: LabelledSet) -> None:
    head = faceattr.train(labelled, "mask", trunk="age-gender").head
    assert head.output == Labels(["bare", "masked"])
    assert head.trunk == "age_gender"
    assert head.notes["pictures"] == 40
    assert head.notes["quality"].startswith("100.0% right in cross-validation (91.2% to 100.0%)")
    assert not {"left_out", "doubts"} & head.notes.keys()  # names of files are nobody's business


def test_numbers_are_learned_with_their_deviation(face: BGRImage) -> None:
    rng = np.random.default_rng(0)
    widths = rng.uniform(0.6, 1.0, 60)
    crops = [
        cv2.resize(face_variant(face, seed, mask=False), (round(96 * width), 96))
        for seed, width in enumerate(widths)
    ]
    squares = [cv2.copyMakeBorder(c, 0, 0, 0, 96 - c.shape[1], cv2.BORDER_CONSTANT) for c in crops]
    data = LabelledSet("widths", squares, {"truth": (100 * widths).tolist()}, are_crops=True)
    training = faceattr.train(data, "breadth", unit="percent")
    assert training.head.output == Unit("percent")
    assert isinstance(training.report, EstimateReport)
    assert training.report.mae < training.baselines["always the median"] / 3
    assert training.report.within_std == pytest.approx(0.683, abs=0.03)
    assert training.head.bounds == bounds_of(100 * widths)
    far = replace(training.head, bias=training.head.bias + np.array([1000, 0], np.float32))
    (answer,) = faceattr.Pipeline([trained_analyzer(far)()]).analyze_crops(squares[:1])
    assert isinstance(answer["breadth"], faceattr.Estimate)
    assert answer["breadth"].value == pytest.approx(training.head.bounds[1])
    check_analyzer(training.analyzer)


@pytest.mark.parametrize(
    ("values", "bounds"),
    [([20, 70], (15, 75)), ([1, 81], (0, 89)), ([-10, 10], (-12, 12)), ([-81, -1], (-89, 0))],
)
def test_estimates_stay_near_the_values_that_were_seen(
    values: list[float], bounds: tuple[float, float]
) -> None:
    assert bounds_of(np.array(values, float)) == pytest.approx(bounds)


def test_a_wrong_label_is_found_and_shown(labelled: LabelledSet) -> None:
    truth = list(labelled.ground_truth["truth"])
    truth[6] = "masked"
    training = faceattr.train(replace(labelled, ground_truth={"truth": truth}), "mask", **QUICK)
    (doubt,) = training.doubts
    assert (doubt.row, doubt.given, doubt.likely) == (6, "masked", "bare")


def test_a_picture_under_two_labels_is_left_out(masks: Path) -> None:
    shutil.copy(masks / "bare" / "0.png", masks / "masked" / "copy.png")
    shutil.copy(masks / "bare" / "1.png", masks / "bare" / "again.png")
    training = faceattr.train(masks, "mask", crops=True, **QUICK)
    reason = "the same picture is there as bare and as masked"
    left_out = {Path(name).name: why for name, why in training.left_out.items()}
    assert left_out.pop("0.png") == left_out.pop("copy.png") == reason
    assert left_out.pop("again.png").startswith("it repeats ")
    assert not left_out
    assert training.counts == {"bare": 11, "masked": 12}
    assert any("under two labels" in warning for warning in training.warnings)


def test_broken_pictures_and_those_without_a_face_are_left_out(
    tmp_path: Path, astronaut: Path
) -> None:
    rng = np.random.default_rng(0)
    image = faceattr.load_image(astronaut)[:320, 60:380]
    folder = tmp_path / "data"
    for label in ("blue", "plain"):
        (folder / label).mkdir(parents=True)
        for index in range(10):
            noisy = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
            if label == "blue":
                noisy[..., 2] //= 4
            cv2.imwrite(str(folder / label / f"{index}.png"), noisy)
    (folder / "plain" / "broken.png").write_bytes(b"not a picture")
    cv2.imwrite(str(folder / "plain" / "empty.png"), np.zeros((64, 64, 3), np.uint8))
    training = faceattr.train(folder, "tint", **QUICK)
    left_out = {Path(name).name: why for name, why in training.left_out.items()}
    assert left_out["empty.png"] == "no face was found"
    assert "broken.png" in left_out["broken.png"]
    assert training.counts == {"blue": 10, "plain": 10}


def test_groups_are_never_on_both_sides(
    labelled: LabelledSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [str(row // 8) for row in range(40)]
    data = replace(labelled, groups={"person": people})
    seen: list[Sequence[Hashable]] = []

    def assign(classes: NDArray[np.int_], groups: Sequence[Hashable]) -> NDArray[np.int_]:
        seen.append(groups)
        return assign_folds(classes, groups)

    monkeypatch.setattr(module, "assign_folds", assign)
    faceattr.train(data, "mask", group="person", **QUICK)
    assert seen == [people]
    with pytest.raises(OptionError, match="unknown group 'persn'; did you mean 'person'"):
        faceattr.train(data, "mask", group="persn")
    with pytest.raises(OptionError, match="all pictures are of one group"):
        faceattr.train(replace(data, groups={"person": ["a"] * 40}), "mask", group="person")


def test_a_level_of_folders_is_a_group(masks: Path) -> None:
    for label in ("bare", "masked"):
        for person in range(3):
            (masks / label / f"p{person}").mkdir()
        for index in range(12):
            folder = masks / label / f"p{index % 3}"
            (masks / label / f"{index}.png").rename(folder / f"{index}.png")
    training = faceattr.train(masks, "mask", crops=True, group=2, **QUICK)
    assert training.counts == {"bare": 12, "masked": 12}
    with pytest.raises(OptionError, match="does not lie 3 folders deep"):
        faceattr.train(masks, "mask", crops=True, group="3")


def test_equal_priors_lift_rare_labels(labelled: LabelledSet) -> None:
    rows = [row for row in range(40) if row % 2 == 0 or row < 24]
    rare = LabelledSet(
        "rare",
        [labelled.pictures[row] for row in rows],
        {"truth": [labelled.ground_truth["truth"][row] for row in rows]},
        are_crops=True,
    )
    plain = faceattr.train(rare, "mask", **QUICK).head
    equal = faceattr.train(rare, "mask", priors="equal", **QUICK).head
    given = faceattr.train(rare, "mask", priors="bare=1,masked=1", **QUICK).head
    lifted = np.diff(equal.bias) - np.diff(plain.bias)
    np.testing.assert_allclose(lifted, np.log(20 / 12), rtol=1e-4)
    np.testing.assert_allclose(given.bias, equal.bias, rtol=1e-6)
    for wrong in ("equals", "bare=1", "bare=1,masked=0", "bare=1,masked=x"):
        with pytest.raises(OptionError, match="priors are"):
            faceattr.train(rare, "mask", priors=wrong)


@pytest.mark.parametrize(
    ("truths", "reason"),
    [
        (["bare"] * 40, "only the label bare"),
        ([None] * 40, "no label"),
        (["bare"] * 31 + ["masked"] * 9, r"too few pictures with a face of masked \(9\)"),
    ],
)
def test_too_little_to_learn_from_is_refused_before_the_work(
    labelled: LabelledSet, truths: list[str | None], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "Gatherer", None)
    with pytest.raises(OptionError, match=reason):
        faceattr.train(replace(labelled, ground_truth={"truth": truths}), "mask")


def test_an_empty_folder_is_an_empty_class(masks: Path) -> None:
    (masks / "visor").mkdir()
    with pytest.raises(OptionError, match=r"of visor \(0\); each label needs at least 10"):
        faceattr.train(masks, "mask", crops=True)


def test_a_label_without_a_readable_picture_is_not_forgotten(masks: Path) -> None:
    (masks / "visor").mkdir()
    for index in range(12):
        (masks / "visor" / f"{index}.png").write_bytes(b"broken")
    with pytest.raises(OptionError, match=r"of visor \(0\)"):
        faceattr.train(masks, "mask", crops=True)


def test_private_features_are_used_on_request_and_never_kept(masks: Path, cache: Path) -> None:
    training = faceattr.train(masks, "mask", crops=True, trunk="identity", mirror=False)
    assert training.head.trunk == "identity"
    assert not list(cache.rglob("*.npz"))
    assert "identity" not in faceattr.train(masks, "mask", crops=True, mirror=False).trunks
    assert len(list(cache.rglob("*.npz"))) == 1


def test_a_head_on_both_networks_stands_where_a_name_can(
    labelled: LabelledSet, tmp_path: Path
) -> None:
    training = faceattr.train(labelled, "mask", trunk="both", mirror=False)
    assert training.trunks.keys() == {"both"}
    assert len(training.head.kernel) == 448
    path = training.save(tmp_path / "mask.faceattr")
    answers = faceattr.Pipeline(["emotion", str(path)]).analyze_crops(labelled.pictures)
    given = [str(answer["mask"]).split()[0] for answer in answers]
    assert given == labelled.ground_truth["truth"]
    with pytest.raises(OptionError, match="all layers of the trunk 'both' cannot be trained"):
        faceattr.train(labelled, "mask", trunk="both", full=True)


def test_wrong_options_are_named(labelled: LabelledSet) -> None:
    with pytest.raises(UnknownNameError, match="unknown trunk 'emotoin'; did you mean 'emotion'"):
        faceattr.train(labelled, "mask", trunk="emotoin")
    with pytest.raises(OptionError, match="a name without spaces"):
        faceattr.train(labelled, "my mask")
    with pytest.raises(OptionError, match="'bare' is not a number; without --unit"):
        faceattr.train(labelled, "mask", unit="years")
    with pytest.raises(OptionError, match=r"ends in \.faceattr"):
        faceattr.train(labelled, "mask", to="mask.zip")
    with pytest.raises(OptionError, match="column"):
        faceattr.train(labelled, "x1")


def test_what_shows_nothing_is_said_to(labelled: LabelledSet) -> None:
    chance = np.random.default_rng(3).permutation(["a", "b"] * 20).tolist()
    training = faceattr.train(replace(labelled, ground_truth={"truth": chance}), "luck", **QUICK)
    assert any("not clearly better than" in warning for warning in training.warnings)


def test_a_built_in_analyzer_that_does_better_is_named(
    labelled: LabelledSet, face: BGRImage
) -> None:
    crops = [face_variant(face, seed, mask=False) for seed in range(24)]
    truth = ["happy"] * 14 + ["sad"] * 10  # all smile, so that 14 of 24 are right
    data = LabelledSet("smiles", crops, {"truth": truth}, are_crops=True)
    training = faceattr.train(data, "mood", **QUICK)
    assert training.baselines["built-in emotion"] == pytest.approx(14 / 24)
    is_named = any("built-in emotion does better" in warning for warning in training.warnings)
    assert is_named == (training.trunks["emotion"] < 14 / 24)


def test_numbers_under_which_a_picture_is_twice_are_short(face: BGRImage) -> None:
    crops = [face_variant(face, seed, mask=False) for seed in range(32)]
    data = LabelledSet("ages", [*crops, crops[0]], {"truth": [*range(10, 42), 50]}, are_crops=True)
    training = faceattr.train(data, "age", unit="years", **QUICK)
    assert training.left_out["picture 0"] == "the same picture is there as 10 and as 50"


def test_a_file_is_not_replaced_unless_told_to(labelled: LabelledSet, tmp_path: Path) -> None:
    to = tmp_path / "mask.faceattr"
    to.write_bytes(b"mine")
    with pytest.raises(SinkError, match="exists already"):
        faceattr.train(labelled, "mask", to=to)
    assert to.read_bytes() == b"mine"
    faceattr.train(labelled, "mask", to=to, overwrite=True, **QUICK)
    assert trained.load(to).attribute == "mask"


def test_a_full_disk_leaves_the_earlier_file(trained_once: Training, tmp_path: Path) -> None:
    to = tmp_path / "mask.faceattr"
    trained_once.save(to)
    before = to.read_bytes()
    with full_disk(500), pytest.raises(SinkError, match=r"mask\.faceattr: cannot be written"):
        trained_once.save(to, overwrite=True)
    assert to.read_bytes() == before
    assert [path.name for path in tmp_path.glob("*")] == ["mask.faceattr"]
    trained_once.save(to, overwrite=True)  # nothing that was learned is lost


@pytest.fixture
def trained_once(labelled: LabelledSet) -> Training:
    """A training of masks."""
    return faceattr.train(labelled, "mask", **QUICK)
