from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from faces import FRAMES

import faceattr
from faceattr.errors import ImageError, MissingDependencyError, OptionError
from faceattr.forms import Labels, Unit
from faceattr.interop import to_dataframe, to_supervision
from faceattr.results import ImageResult, write_csv
from faceattr.streaming.sinks import CsvSink
from faceattr.types import Classification, Descriptor, Estimate, Face

EMOTION = Classification({"happy": 0.75, "sad": 0.25})
AGE = Estimate(30.123, "years", 4.0)
BOTH = Face((1.04, 2, 30, 40), 0.98765, attributes={"emotion": EMOTION, "age": AGE})
YOUNG = Face((5, 6, 7, 8), 0.5, attributes={"emotion": Classification({"happy": 0.4, "sad": 0.6})})
COLUMNS = Labels(["happy", "sad"]).columns("emotion") + Unit("years").columns("age")
BROKEN = ImageError("c.png: no such file")
RESULTS = [
    ImageResult("a.png", width=60, height=50, faces=[BOTH, YOUNG]),
    ImageResult("b.png", width=60, height=50),
    ImageResult("c.png", error=BROKEN),
]


def cells(table: Any) -> list[list[Any]]:
    """Return the cells of a DataFrame, None where one is missing."""
    return table.astype(object).where(table.notna(), None).to_numpy().tolist()


@pytest.fixture
def pandas() -> Any:
    return pytest.importorskip("pandas")


@pytest.fixture
def sv() -> Any:
    return pytest.importorskip("supervision")


def test_a_table_of_faces_has_a_row_each(pandas: Any) -> None:
    table = to_dataframe([BOTH, YOUNG])
    assert list(table) == ["face", "x1", "y1", "x2", "y2", "confidence", *COLUMNS]
    assert list(table.face) == [0, 1]
    assert list(table.emotion) == ["happy", "sad"]
    assert table.age[0] == 30.12
    assert pandas.isna(table.age[1])


def test_faces_of_a_stream_keep_their_tracks(pandas: Any) -> None:
    table = to_dataframe([replace(BOTH, track_id=7), YOUNG])
    assert table.track[0] == 7
    assert pandas.isna(table.track[1])
    assert table.track.dtype == "Int64"


def test_faces_of_several_images_have_the_number_of_the_image(pandas: Any) -> None:
    table = to_dataframe([[BOTH, YOUNG], [], BROKEN])
    assert list(table.source) == [0, 0, 1, 2]
    assert table.face.isna().tolist() == [False, False, True, True]
    assert table.error[3] == "c.png: no such file"


def test_a_table_of_results_is_the_csv_file(tmp_path: Any, pandas: Any) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        write_csv(RESULTS, file, columns=COLUMNS)
    table = to_dataframe(iter(RESULTS))
    read = pandas.read_csv(path)
    assert list(table) == list(read)
    assert cells(table) == cells(read)


def test_a_table_of_frames_is_the_csv_file_of_the_stream(tmp_path: Any, pandas: Any) -> None:
    faces = [replace(BOTH, track_id=1), replace(YOUNG, track_id=2)]
    path = tmp_path / "a.csv"
    with CsvSink(path, columns=COLUMNS) as sink:
        for frame in FRAMES[:2]:
            sink.write(frame, faces)

    def stream() -> Iterator[tuple[Any, Any]]:
        for frame in FRAMES[:2]:
            yield frame, faces
        yield FRAMES[2], []

    table, read = to_dataframe(stream()), pandas.read_csv(path)
    assert list(table) == list(read)
    assert cells(table) == cells(read)


def test_a_table_has_its_columns_without_a_face(pandas: Any) -> None:
    place = ["face", "x1", "y1", "x2", "y2", "confidence"]
    assert list(to_dataframe([])) == place
    assert list(to_dataframe([], columns=COLUMNS)) == [*place, *COLUMNS]
    table = to_dataframe(RESULTS[1:], columns=COLUMNS)
    assert list(table) == ["source", *place, *COLUMNS, "error"]
    assert list(to_dataframe([(FRAMES[0], [])]))[:3] == ["frame", "timestamp", "track"]


def test_an_uncertain_label_is_missing(pandas: Any) -> None:
    table = to_dataframe([replace(BOTH, uncertain=frozenset({"emotion"}))])
    assert pandas.isna(table.emotion[0])
    assert table.emotion_happy[0] == 0.75


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (BOTH, "results is Face.*; it must be Iterable"),
        ("ab", "'a' is not a result; give what analyze"),
        ([None], "None is not a result"),
        ([[BOTH, 1]], "is not a result"),
        ([(1, 2)], r"\(1, 2\) is not a result"),
        ([BOTH, [BOTH]], "results are of several kinds; make a table of each"),
    ],
)
def test_what_is_not_a_result_is_refused(pandas: Any, results: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        to_dataframe(results)


def test_detections_hold_boxes_classes_and_columns(sv: Any) -> None:
    found = to_supervision([BOTH, YOUNG])
    assert isinstance(found, sv.Detections)
    assert found.xyxy == pytest.approx(np.array([BOTH.bbox, YOUNG.bbox]))
    assert found.confidence == pytest.approx([0.98765, 0.5])
    assert found.class_id.tolist() == [0, 1]
    assert found["class_name"].tolist() == found["emotion"].tolist() == ["happy", "sad"]
    assert found["emotion_happy"].tolist() == [0.75, 0.4]
    assert found["age"][0] == 30.12
    assert np.isnan(found["age"][1])
    assert found.tracker_id is None
    assert found[found["emotion"] == "sad"].xyxy.tolist() == [[5, 6, 7, 8]]


def test_detections_are_tracked_if_each_face_is(sv: Any) -> None:
    tracked = replace(BOTH, track_id=7)
    assert to_supervision([tracked]).tracker_id.tolist() == [7]
    assert to_supervision([tracked, YOUNG]).tracker_id is None


def test_classes_come_from_a_classification(sv: Any) -> None:
    gender = Classification({"woman": 0.1, "man": 0.9})
    face = replace(BOTH, attributes={**BOTH.attributes, "gender": gender})
    found = to_supervision(
        [face, replace(BOTH, uncertain=frozenset({"emotion"}))], classes="gender"
    )
    assert found.class_id.tolist() == [1, 2]
    assert found["class_name"].tolist() == ["man", "uncertain"]
    assert found["emotion"].tolist() == ["happy", "uncertain"]
    with pytest.raises(OptionError, match=r"classes is 'age'; the classifications .* emotion"):
        to_supervision([BOTH], classes="age")


def test_without_a_classification_each_class_is_face(sv: Any) -> None:
    vector = Descriptor(np.array([0.6, 0.8], np.float32))
    found = to_supervision([Face((1, 2, 3, 4), 0.9, attributes={"identity": vector})])
    assert found["class_name"].tolist() == ["face"]
    assert found["identity_1"] == pytest.approx([0.8])
    assert len(to_supervision([])) == 0


def test_detections_can_be_merged_and_drawn(sv: Any) -> None:
    merged = sv.Detections.merge([to_supervision([BOTH]), to_supervision([BOTH])])
    assert merged["emotion"].tolist() == ["happy", "happy"]
    drawn = sv.LabelAnnotator().annotate(np.zeros((99, 99, 3), np.uint8), merged)
    assert drawn.any()


@pytest.mark.parametrize("faces", [None, 3, [None], BOTH, [[BOTH]]])
def test_what_are_not_faces_is_refused(sv: Any, faces: Any) -> None:
    with pytest.raises(OptionError, match="faces"):
        to_supervision(faces)


@pytest.mark.parametrize("extra", ["pandas", "supervision"])
def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, extra, None)
    call: Any = to_dataframe if extra == "pandas" else to_supervision
    with pytest.raises(MissingDependencyError, match=rf"pip install 'faceattr\[{extra}\]'"):
        call([BOTH])


def test_both_are_at_the_front_door() -> None:
    assert (faceattr.to_dataframe, faceattr.to_supervision) == (to_dataframe, to_supervision)
