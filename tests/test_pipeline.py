from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Brightness, EveryCorner, Light

import faceattr
from faceattr import errors
from faceattr import pipeline as module
from faceattr.alignment import CropSpec, resize_crops
from faceattr.analyzers import analyzers
from faceattr.analyzers.base import Analyzer, Reader
from faceattr.detectors import detectors
from faceattr.detectors.base import Search
from faceattr.engines.base import Engine
from faceattr.errors import (
    FaceattrError,
    ImageError,
    OptionError,
    PluginError,
    PluginLoadError,
    UnknownNameError,
)
from faceattr.forms import Unit
from faceattr.pipeline import Pipeline
from faceattr.testing import FixedDetector
from faceattr.types import (
    BGRImage,
    Classification,
    CropBatch,
    CropGeometry,
    Crops,
    Detection,
    Estimate,
    Face,
)


def gray(level: int, size: int = 40) -> BGRImage:
    return np.full((size, size, 3), level, np.uint8)


def brightnesses(faces: list[Face] | FaceattrError) -> list[float]:
    assert isinstance(faces, list)
    return [brightness_of(face) for face in faces]


def brightness_of(face: Face) -> float:
    attribute = face.attributes["brightness"]
    assert isinstance(attribute, Estimate)
    return attribute.value


def test_each_face_gets_what_was_read_off_it() -> None:
    image = gray(0)
    image[:, 20:] = 200
    left, right = Pipeline([Brightness()], detector=EveryCorner()).analyze(image)
    assert left.bbox == (0, 0, 10, 10)
    assert right.bbox == (30, 0, 40, 10)
    assert (brightness_of(left), brightness_of(right)) == (0, 200)


def test_nobody_is_an_empty_list() -> None:
    assert Pipeline([Brightness()], detector=EveryCorner(0)).analyze(gray(0)) == []


def test_without_actions_faces_are_only_found() -> None:
    (face,) = Pipeline([], detector=EveryCorner(1)).analyze(gray(0))
    assert face.attributes == {}


def test_many_images_give_their_faces_in_order() -> None:
    pipeline = Pipeline([Brightness()], detector=EveryCorner())
    levels = list(range(0, 250, 5))  # more than one batch
    answers = pipeline.analyze_many(gray(level) for level in levels)
    assert [brightnesses(faces) for faces in answers] == [[level, level] for level in levels]


def test_faces_of_several_images_go_through_an_analyzer_together() -> None:
    sizes = []

    class Counting(Brightness):
        def predict(self, crops: Crops) -> Sequence[Estimate]:
            sizes.append(len(crops))
            return super().predict(crops)

    Pipeline([Counting()], detector=EveryCorner(4)).analyze_many([gray(1)] * 16)
    assert sizes == [64]


def test_large_images_are_not_all_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_PIXELS", 3000)
    results = (result for result in [gray(1), gray(2), gray(3)])
    first = next(Pipeline([], detector=EveryCorner()).analyze_each(results))
    assert first.width == 40
    assert len(list(results)) == 1  # the third was not touched yet


def test_a_bad_image_among_many_loses_nothing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    images: list[Any] = [gray(level) for level in range(10)]
    images[5] = bad
    pipeline = Pipeline([Brightness()], detector=EveryCorner())
    answers = pipeline.analyze_many(images, errors="report")
    assert isinstance(answers[5], ImageError)
    assert str(bad) in str(answers[5])
    assert [len(answer) for answer in answers if isinstance(answer, list)] == [2] * 9
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        pipeline.analyze_many(images)


def test_images_that_are_all_bad_are_all_reported(tmp_path: Path) -> None:
    missing = [tmp_path / f"{index}.jpg" for index in range(20)]
    answers = Pipeline(["emotion"]).analyze_many(missing, errors="report")
    assert [str(answer) for answer in answers] == [f"{path}: no such file" for path in missing]


def test_no_images_give_no_answers() -> None:
    assert Pipeline(["emotion"]).analyze_many([]) == []


def test_errors_can_only_be_raised_or_reported() -> None:
    with pytest.raises(OptionError, match="errors is 'ignore'; it can be 'raise' or 'report'"):
        Pipeline([], detector=EveryCorner()).analyze_many([], errors="ignore")


class FailsOnBlack(Brightness):
    def predict(self, crops: Crops) -> Sequence[Estimate]:
        if not crops.all():
            raise ZeroDivisionError("no light")
        return super().predict(crops)


class FindsNothingInTheDark(EveryCorner):
    def find(self, image: BGRImage, search: Search) -> Sequence[Detection]:
        if not image.any():
            raise ZeroDivisionError("no light")
        return super().find(image, search)


@pytest.mark.parametrize(
    ("analyzer", "detector"),
    [(FailsOnBlack(), EveryCorner()), (Brightness(), FindsNothingInTheDark())],
)
def test_a_plugin_that_fails_is_named_and_costs_one_image(
    analyzer: Brightness, detector: EveryCorner
) -> None:
    pipeline = Pipeline([analyzer], detector=detector)
    first, dark, last = pipeline.analyze_many([gray(9), gray(0), gray(7)], errors="report")
    assert isinstance(dark, PluginError)
    assert "failed: ZeroDivisionError: no light" in str(dark)
    assert (brightnesses(first), brightnesses(last)) == ([9, 9], [7, 7])


def test_an_analyzer_must_answer_for_each_crop() -> None:
    class Forgetful(Brightness):
        def predict(self, crops: Crops) -> Sequence[Estimate]:
            return super().predict(crops)[1:]

    with pytest.raises(PluginError, match="Forgetful gave 1 results for 2 faces"):
        Pipeline([Forgetful()], detector=EveryCorner()).analyze(gray(0))


def test_names_are_checked_before_any_image() -> None:
    with pytest.raises(
        UnknownNameError, match="unknown analyzer 'emotoin'; did you mean 'emotion'"
    ):
        Pipeline(["emotoin"])
    with pytest.raises(UnknownNameError, match="unknown detector 'mtcn'; did you mean 'mtcnn'"):
        Pipeline(detector="mtcn")


def test_attributes_come_in_the_order_of_the_actions() -> None:
    class Sharpness(Brightness):
        attribute = "sharpness"

    class Contrast(Brightness):
        attribute = "contrast"
        crop = CropSpec(size=(4, 4), color="gray", mode="box")

    actions = [Brightness(), Contrast(), Sharpness()]
    (face,) = Pipeline(actions, detector=EveryCorner(1)).analyze(gray(0))
    assert list(face.attributes) == ["brightness", "contrast", "sharpness"]


def test_two_analyzers_of_one_attribute_are_both_named() -> None:
    class Darkness(Brightness):
        pass

    with pytest.raises(OptionError, match="'Brightness' and 'Darkness' both read the attribute"):
        Pipeline([Brightness(), Darkness()], detector=EveryCorner())


def test_labels_can_be_fewer_and_unsure() -> None:
    pipeline = Pipeline(
        [Brightness(), Light()],
        detector=EveryCorner(1),
        labels={"light": ["day"], "dark": ["dusk", "night"]},
        min_confidence=0.9,
    )
    (day,) = pipeline.analyze(gray(255))
    (dim,) = pipeline.analyze(gray(102))
    assert day.attributes["light"].to_dict() == {
        "label": "light",
        "confidence": 1.0,
        "scores": {"light": 1.0, "dark": 0.0},
    }
    assert dim.text("light") == "uncertain"
    assert dim.attributes["light"].to_dict()["label"] == "dark"
    assert day.uncertain == set()
    assert dim.uncertain == {"light"}
    assert brightness_of(dim) == 102


def test_labels_that_nothing_has_are_an_error_before_any_image() -> None:
    with pytest.raises(OptionError, match="unknown label 'nigth'; did you mean 'night'"):
        Pipeline([Light()], detector=EveryCorner(0), labels=["day", "nigth"])
    with pytest.raises(OptionError, match="labels are for classifications, and none is among"):
        faceattr.analyze(gray(0), [Brightness()], detector=EveryCorner(), labels=["day"])


def test_the_least_confidence_is_a_probability() -> None:
    with pytest.raises(OptionError, match=r"min_confidence is 1\.5; it must be at least 0 and at "):
        Pipeline([Light()], detector=EveryCorner(), min_confidence=1.5)


def test_crops_are_read_without_a_detector() -> None:
    pipeline = Pipeline([Brightness(), Light()], detector=EveryCorner(0))
    bright, dark = pipeline.analyze_crops([gray(255, 100), gray(0, 5)])
    assert bright["brightness"] == Estimate(255, unit="levels")
    assert dark["light"] == Classification({"day": 0, "dusk": 0.5, "night": 0.5})


def test_one_action_can_be_a_plain_name(astronaut: Path) -> None:
    (face,) = faceattr.analyze(astronaut, "emotion")
    assert list(face.attributes) == ["emotion"]


@pytest.mark.parametrize("detector", ["mtcnn", "haar"])
def test_a_photograph_is_read(astronaut: Path, detector: str) -> None:
    face, *others = faceattr.analyze(astronaut, actions=["emotion"], detector=detector)
    assert not others
    x1, y1, x2, y2 = face.bbox
    assert x1 < 225 < x2  # the nose
    assert y1 < 125 < y2
    emotion = face.to_dict()["attributes"]["emotion"]
    assert emotion["label"] == "happy"
    assert sum(emotion["scores"].values()) == pytest.approx(1, abs=1e-3)
    json.dumps(face.to_dict())


def test_a_grayscale_picture_is_read(astronaut: Path) -> None:
    image = faceattr.load_image(astronaut).mean(axis=2).astype(np.uint8)
    (face,) = faceattr.analyze(image)
    assert face.confidence > 0.9


def test_eight_threads_get_the_answers_of_one(astronaut: Path) -> None:
    image = faceattr.load_image(astronaut)
    images = [np.roll(image, shift, axis=1) for shift in range(0, 160, 10)]
    pipeline = Pipeline(precision="f32")
    alone = [pipeline.analyze(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(pipeline.analyze, images))
    for faces, expected in zip(together, alone, strict=True):
        assert [face.to_dict() for face in faces] == [face.to_dict() for face in expected]


def test_main_faces_of_press_pictures_are_found(pictures: Path) -> None:
    counts = {path.name: len(faceattr.detect(path)) for path in sorted(pictures.iterdir())}
    assert counts.pop("couple.jpg") == 2
    assert counts.pop("selfie-many-people.jpg") >= 4
    assert all(count >= 1 for count in counts.values())


class NoseHeight(Analyzer):
    """Where the nose is, in px of the picture from the top of the box."""

    attribute = "nose"
    output = Unit("px")
    crop = CropSpec(size=(8, 8), color="gray", mode="box")

    def read(self, batch: CropBatch) -> list[Estimate]:
        return [
            Estimate(-1.0 if one.landmarks is None else one.landmarks[2, 1] / one.scale, "px")
            for one in batch.geometry
        ]


class WithNoses(EveryCorner):
    """Knows the landmarks, all of them at the nose."""

    def find(self, image: BGRImage, search: Search) -> Sequence[Detection]:
        return [
            Detection(
                one.bbox,
                one.confidence,
                np.full((5, 2), (one.bbox[0] + 5, one.bbox[1] + 6 + index), np.float32),
            )
            for index, one in enumerate(super().find(image, search))
        ]


def test_an_analyzer_can_know_how_each_face_lies_in_its_crop() -> None:
    faces = Pipeline([Brightness(), NoseHeight()], detector=WithNoses(3)).analyze(gray(9))
    noses = [face.attributes["nose"] for face in faces]
    assert [nose.value for nose in noses if isinstance(nose, Estimate)] == pytest.approx([6, 7, 8])
    assert [brightness_of(face) for face in faces] == [9, 9, 9]


class Sides(Analyzer):
    """The sides of both crops of a face, and the number of faces that it is read with."""

    attribute = "sides"
    output = Unit("px")
    crop = CropSpec(size=(8, 8), mode="box")
    more_crops = (CropSpec(size=(448, 448), mode="box"),)

    def read(self, batch: CropBatch) -> list[Estimate]:
        (other,) = map(batch.in_form, self.more_crops)
        sides = batch.crops.shape[1] + other.crops.shape[1]
        assert len(batch) == len(other)
        levels = zip(batch.crops, other.crops, strict=True)
        assert all(own.mean() == further.mean() for own, further in levels)
        return [self.output.estimate(sides)] * len(batch)


def test_an_analyzer_gets_the_same_faces_in_several_forms() -> None:
    pipeline = Pipeline([Brightness(), Sides()], detector=EveryCorner(3))
    images = [gray(level) for level in (0, 90, 180)]
    for faces in pipeline.analyze_many(images):
        assert [face.estimate("sides").value for face in faces] == [456] * 3
    assert [read["sides"] for read in pipeline.analyze_crops(images)] == [Estimate(456, "px")] * 3
    assert pipeline.crop_specs == [Brightness.crop, Sides.crop, *Sides.more_crops]
    crops = {spec: resize_crops(images, spec) for spec in pipeline.crop_specs}
    assert [list(read) for read in pipeline.read_crops(crops)] == [["brightness", "sides"]] * 3


def test_of_crops_only_the_scale_is_known() -> None:
    (read,) = Pipeline([NoseHeight()]).analyze_crops([gray(9)])
    assert read == {"nose": Estimate(-1.0, "px")}


def test_an_analyzer_of_this_process_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzers, "_registered", {})
    monkeypatch.setattr(detectors, "_registered", {})
    faceattr.register_analyzer("how-bright", Brightness)
    faceattr.register_detector("corners", EveryCorner)
    assert "how-bright" in faceattr.list_analyzers("*bright*")
    assert type(faceattr.create_detector("corners")) is EveryCorner
    faces = faceattr.analyze(gray(9), ["how-bright"], detector="corners")
    assert [brightness_of(face) for face in faces] == [9, 9]


def test_a_class_in_the_place_of_an_analyzer_is_refused() -> None:
    with pytest.raises(OptionError, match=r"Brightness is a class; give an object: Brightness\(\)"):
        Pipeline([Brightness])  # type: ignore[list-item]


@pytest.mark.parametrize("missing", ["attribute", "output", "crop"])
def test_an_analyzer_without_what_it_has_to_declare_is_named(missing: str) -> None:
    declared = {"attribute": "bare", "output": Unit("px"), "crop": CropSpec(size=(8, 8))}
    del declared[missing]
    bare = type("Bare", (Analyzer,), declared)()
    with pytest.raises(PluginError, match=f"Bare does not declare '{missing}'; an analyzer has to"):
        Pipeline([bare])


def test_an_analyzer_of_version_1_is_told_to_upgrade() -> None:
    class Old(Brightness):
        contract = 1

    with pytest.raises(PluginLoadError, match=r"version 1 of the plugin API.*upgrade the plugin"):
        Pipeline([Old()])


def test_a_plugin_that_fails_to_load_is_named() -> None:
    class Torn(Brightness):
        def load(self, engine: Engine) -> Reader:
            raise OSError("disk is full")

    with pytest.raises(PluginError, match="Torn failed: OSError: disk is full"):
        Pipeline([Torn()]).load()


def test_every_error_is_ours() -> None:
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    assert len(classes) > 10
    assert all(issubclass(one, FaceattrError) for one in classes if one.__name__.endswith("Error"))


def test_two_pipelines_share_an_analyzer_without_touching_each_other() -> None:
    class Counted(Brightness):
        loads = 0

        def load(self, engine: Engine) -> Reader:
            type(self).loads += 1
            return super().load(engine)

    analyzer = Counted()
    exact = Pipeline([analyzer], detector=EveryCorner(1), precision="f32")
    before = exact.analyze(gray(9))
    fast = Pipeline([analyzer], detector=EveryCorner(1), precision="auto")
    assert fast.analyze(gray(9)) == exact.analyze(gray(9)) == before
    assert Counted.loads == 2
    assert vars(analyzer) == {}


@pytest.mark.parametrize("image", ["photo.jpg", b"\xff\xd8", gray(1), Path("photo.jpg")])
def test_one_image_is_not_taken_apart(image: Any) -> None:
    with pytest.raises(OptionError, match=r"is not several images; use analyze\(\) for one"):
        Pipeline([], detector=EveryCorner()).analyze_many(image)


def test_a_folder_or_glob_is_sent_to_the_function_that_lists_it(tmp_path: Path) -> None:
    for path in (tmp_path, str(tmp_path), f"{tmp_path}/*.jpg"):
        with pytest.raises(OptionError, match=r"; list those that it stands for: find_images\('/"):
            faceattr.analyze_many(path, [], detector=EveryCorner())  # type: ignore[arg-type]
    with pytest.raises(
        ImageError, match=r"no such file; find_images\(\) lists the files of a glob"
    ):
        faceattr.analyze(tmp_path / "*.jpg", [], detector=EveryCorner())


class Blueness(Brightness):
    """Mean of the blue channel."""

    crop = CropSpec(size=(8, 8), color="bgr", mode="box")

    def predict(self, crops: Crops) -> Sequence[Estimate]:
        return [Estimate(float(crop[..., 0].mean()), "levels") for crop in crops]


def test_arrays_may_be_rgb_wherever_a_pipeline_takes_them() -> None:
    blue = np.full((40, 40, 3), (200, 0, 0), np.uint8)
    rgb = np.ascontiguousarray(blue[..., ::-1])
    options: Any = {"detector": FixedDetector([Detection((5, 5, 25, 25), 0.9)])}
    pipeline = Pipeline([Blueness()], color="rgb", **options)
    (face,) = pipeline.analyze(rgb)
    assert brightness_of(face) == 200
    assert pipeline.analyze_many([rgb]) == [[face]]
    (result,) = pipeline.analyze_each([rgb])
    assert result.image is not None
    assert np.array_equal(result.image, blue)
    assert pipeline.read(rgb, pipeline.detect(rgb)) == [face]
    assert pipeline.analyze_crops([rgb]) == [face.attributes]
    assert faceattr.analyze(rgb, [Blueness()], color="rgb", **options) == [face]
    assert faceattr.analyze(blue, [Blueness()], **options) == [face]
    (first,) = faceattr.stream([rgb], [Blueness()], color="rgb", **options)
    assert np.array_equal(first[0].image, blue)
    assert first[1][0].attributes == face.attributes
    assert pipeline.settings["color"] == "rgb"


def test_frames_are_bgr() -> None:
    with pytest.raises(OptionError, match="color is 'rgb', but the image of a Frame is BGR"):
        faceattr.LiveAnalysis([], color="rgb")


def test_a_list_of_images_is_sent_to_the_right_function() -> None:
    with pytest.raises(ImageError, match=r"analyze_many\(\)"):
        faceattr.analyze(["a.jpg", "b.jpg"], [], detector=EveryCorner())  # type: ignore[arg-type]


def test_gray_images_in_one_array_are_several() -> None:
    stack = np.zeros((3, 40, 50), np.uint8)
    assert len(Pipeline([], detector=EveryCorner()).analyze_many(list(stack))) == 3
    assert len(Pipeline([], detector=EveryCorner()).analyze_many(stack)) == 3


def test_actions_can_be_one_text() -> None:
    assert Pipeline("emotion, age").refresh.keys() == {"emotion", "age"}


def test_options_of_the_detector_can_be_given_beside_its_name() -> None:
    pipeline = Pipeline([], detector=EveryCorner(4), max_faces=3, threshold=0.85)
    assert [face.confidence for face in pipeline.analyze(gray(1))] == [1.0, 0.9]
    assert len(pipeline.detect(gray(1), threshold=0.1)) == 3
    assert Pipeline([], detector=EveryCorner(4), min_face=20).analyze(gray(1)) == []


def test_a_pipeline_travels_by_its_options() -> None:
    pipeline = Pipeline(["emotion"], detector="haar", min_confidence=0.5)
    pipeline.load()
    for other in (pickle.loads(pickle.dumps(pipeline)), copy.deepcopy(pipeline)):
        assert other.options == pipeline.options
        assert other.analyze(gray(90, 120)) == pipeline.analyze(gray(90, 120))


def test_a_pipeline_says_what_it_is() -> None:
    pipeline = Pipeline([Brightness(), "emotion"], detector="haar", precision="f32", threads=1)
    expected = (
        "<Pipeline ['Brightness', 'emotion'] detector='haar' "
        "<OpenVinoEngine precision='f32' threads=1> not loaded>"
    )
    assert repr(pipeline) == expected


def test_a_closed_pipeline_loads_again() -> None:
    with Pipeline([Brightness()], detector=EveryCorner(1)) as pipeline:
        before = pipeline.analyze(gray(9))
    assert repr(pipeline).endswith("not loaded>")
    assert pipeline.analyze(gray(9)) == before


def test_features_are_given_where_they_are_asked_for(astronaut: Path) -> None:
    (plain,) = faceattr.analyze(astronaut, "emotion,age,gender")
    assert plain.features == {}
    (face,) = faceattr.analyze(astronaut, "emotion,age,gender", features=True)
    assert {name: features.shape for name, features in face.features.items()} == {
        "emotion": (224,),
        "age_gender": (224,),
    }
    assert face == plain


def test_columns_are_known_before_the_first_image() -> None:
    assert Pipeline([Brightness(), Light()], detector=EveryCorner()).columns == [
        *("brightness", "brightness_std", "light", "light_confidence"),
        *("light_day", "light_dusk", "light_night"),
    ]


@pytest.mark.parametrize("name", ["source", "confidence", "x1", "face"])
def test_an_attribute_cannot_take_the_column_of_another(name: str) -> None:
    odd = type("Odd", (Brightness,), {"attribute": name})()
    with pytest.raises(OptionError, match=f"needs a column '{name}', which every table has"):
        Pipeline([odd], detector=EveryCorner())


def test_faces_that_were_cut_elsewhere_are_read_in_each_form() -> None:
    pipeline = Pipeline([Brightness(), Light()], detector=EveryCorner())
    levels = np.array([0, 51, 102], np.uint8).reshape(3, 1, 1, 1)
    crops = {
        spec: CropBatch(
            np.broadcast_to(levels, (3, *spec.size, spec.channels)), [CropGeometry()] * 3
        )
        for spec in pipeline.crop_specs
    }
    read = pipeline.read_crops(crops)
    assert [attributes["brightness"] for attributes in read] == [
        Estimate(level, "levels") for level in (0.0, 51.0, 102.0)
    ]
    assert [str(attributes["light"]) for attributes in read] == ["dusk 50%", "dusk 40%", "day 40%"]


def test_one_object_in_two_pipelines_and_eight_threads_gives_each_its_own_numbers(
    astronaut: Path,
) -> None:
    class Precision(Brightness):
        """Length of the precision's name, which no processor makes equal."""

        attribute = "precision"

        def load(self, engine: Engine) -> Reader:
            return lambda batch: [Estimate(len(engine.precision), "levels")] * len(batch)

    image = faceattr.load_image(astronaut)
    detector = FixedDetector([Detection((170.0, 50.0, 275.0, 190.0), 0.9)])
    precisions = ("auto", "f32")

    def pipelines(*plugins: Analyzer) -> dict[str, Pipeline]:
        return {one: Pipeline(plugins, detector=detector, precision=one) for one in precisions}

    alone = {
        one: pipelines(*map(analyzers.create, ("emotion", "age")), Precision())[one].analyze(image)
        for one in precisions
    }
    shared = pipelines(*map(analyzers.create, ("emotion", "age")), Precision())
    with ThreadPoolExecutor(8) as pool:  # the first ones load
        results = list(pool.map(lambda one: shared[one].analyze(image), precisions * 16))
    assert results == [alone[one] for one in precisions * 16]
    assert [alone[one][0].estimate("precision").value for one in precisions] == [4, 3]
