from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from faceattr.errors import ImageError, OptionError
from faceattr.evaluation.datasets import LabelledSet, ferplus_majority, load_labelled_set
from faceattr.images import load_image
from faceattr.labels import EMOTIONS

PICTURE = np.full((4, 4, 3), 200, np.uint8)


def write_pictures(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), PICTURE)


def test_a_folder_has_a_folder_per_label(tmp_path: Path) -> None:
    write_pictures(tmp_path / "happy" / "1.png", tmp_path / "sad" / "more" / "2.png")
    data = load_labelled_set(tmp_path, attribute="mood")
    assert [Path(str(picture)).name for picture in data.pictures] == ["1.png", "2.png"]
    assert data.ground_truth == {"folders": ["happy", "sad"]}
    assert not data.are_crops
    with pytest.raises(OptionError, match="a folder has no splits"):
        load_labelled_set(tmp_path, attribute="mood", split="test")


def test_pictures_beside_the_folders_have_no_label(tmp_path: Path) -> None:
    write_pictures(tmp_path / "happy" / "1.png", tmp_path / "readme.png")
    assert load_labelled_set(tmp_path, attribute="mood").ground_truth == {
        "folders": ["happy", None]
    }


def test_utkface_names_say_age_gender_and_race(tmp_path: Path) -> None:
    names = ["25_1_2_20170116.jpg", "7_0_4_2017.jpg.chip.jpg", "99_0_0_20.jpg", "61_3_2017.jpg"]
    write_pictures(*(tmp_path / name for name in names))
    ages = load_labelled_set(tmp_path, attribute="age")
    assert len(ages) == 3  # one name is incomplete
    assert ages.ground_truth == {"utkface": [25, 7, 99]}
    assert ages.groups == {
        "age": ["20–29", "0–9", "90+"],
        "gender": ["woman", "man", "man"],
        "race": ["asian", "others", "white"],
    }
    genders = load_labelled_set(tmp_path, attribute="gender")
    assert genders.ground_truth == {"utkface": ["woman", "man", "man"]}
    races = load_labelled_set(tmp_path, attribute="race")
    assert races.ground_truth == {"utkface": ["asian", None, "white"]}
    with pytest.raises(OptionError, match="has no 'emotion', only age, gender, race"):
        load_labelled_set(tmp_path, attribute="emotion")


@pytest.mark.parametrize("header", ["path,label\n", "path,age\n", ""])
def test_a_csv_file_has_paths_and_labels(tmp_path: Path, header: str) -> None:
    path = tmp_path / "faces.csv"
    path.write_text(f"{header}a.png,31\nfolder/b.png,40\n")
    data = load_labelled_set(path, attribute="age")
    assert data.pictures == [tmp_path / "a.png", tmp_path / "folder" / "b.png"]
    assert list(data.ground_truth.values()) == [["31", "40"]]


def test_further_columns_are_groups_and_splits(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text("site,split,path,label\nx,train,a.png,sad\ny,test,b.png,happy\n")
    data = load_labelled_set(path, attribute="emotion", split="test")
    assert data.pictures == [tmp_path / "b.png"]
    assert (data.ground_truth, data.groups) == ({"label": ["happy"]}, {"site": ["y"]})
    with pytest.raises(OptionError, match="unknown split 'tst'; did you mean 'test'"):
        load_labelled_set(path, attribute="emotion", split="tst")


def test_a_csv_file_without_labels_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    path.write_text("path,size\na.png,31\n")
    with pytest.raises(OptionError, match="no column 'age' or 'label', only path, size"):
        load_labelled_set(path, attribute="age")
    path.write_text("path,label\na.png\n")
    with pytest.raises(OptionError, match=r"faces\.csv: line 2 has 1 columns, the header 2"):
        load_labelled_set(path, attribute="age")
    path.write_text("")
    with pytest.raises(OptionError, match=r"faces\.csv: is empty"):
        load_labelled_set(path, attribute="age")


def test_fer2013_is_read_from_its_csv(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    path.write_text("emotion,pixels,Usage\n3,0 1 2 3,Training\n0,9 8 7 6,PublicTest\n")
    data = load_labelled_set(path, attribute="emotion", split="PublicTest")
    (picture,) = data.pictures
    np.testing.assert_array_equal(np.asarray(picture), [[9, 8], [7, 6]])
    assert data.ground_truth == {"fer2013": ["angry"]}
    assert data.are_crops


def test_a_damaged_fer2013_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "fer2013.csv"
    for row in ("9,0 1 2 3", "x,0 1 2 3", "3,0 1 2", "3,900", "3,x"):
        path.write_text(f"emotion,pixels,Usage\n{row},Training\n")
        with pytest.raises(OptionError, match="does not have the form of FER2013"):
            load_labelled_set(path, attribute="emotion")


def test_fer2013_with_votes_has_two_sources_of_ground_truth(tmp_path: Path) -> None:
    votes = np.zeros((3, 10), np.uint8)
    votes[0, 1], votes[0, 0] = 6, 4  # happiness
    votes[1, 1], votes[1, 0] = 5, 5
    votes[2, 9] = 10  # not a face
    np.savez(
        tmp_path / "fer2013.npz",
        images=np.zeros((3, 48, 48), np.uint8),
        label=np.array([3, 6, 0], np.int8),
        split=np.array([1, 1, 1], np.int8),
        splits=np.array(["Training", "PublicTest"]),
        ferplus_votes=votes,
    )
    data = load_labelled_set(tmp_path / "fer2013.npz", attribute="emotion", split="publictest")
    assert data.ground_truth == {
        "fer2013": ["happy", "neutral", "angry"],
        "ferplus": ["happy", None, None],
    }
    with pytest.raises(OptionError, match="unknown split 'Training'; available: PublicTest"):
        load_labelled_set(tmp_path / "fer2013.npz", attribute="emotion", split="Training")


def test_a_majority_has_more_than_half_of_all_votes() -> None:
    votes = np.array([[6, 0, 0, 4, 0, 0, 0, 0, 0, 0], [0, 3, 0, 0, 0, 0, 0, 7, 0, 0]])
    assert [EMOTIONS[index] if index >= 0 else "" for index in ferplus_majority(votes)] == [
        "neutral",
        "",  # contempt is none of the seven
    ]


def test_utkface_is_read_from_its_npz(tmp_path: Path) -> None:
    encoded = [cv2.imencode(".webp", np.full((8, 8, 3), level, np.uint8))[1] for level in (0, 255)]
    np.savez(
        tmp_path / "utkface.npz",
        webp=np.concatenate([data.ravel() for data in encoded]),
        offset=np.cumsum([0, *map(len, encoded)]),
        age=np.array([30, 4]),
        gender=np.array([0, 1]),
        race=np.array([0, 4]),
        split=np.array([0, 1]),
    )
    data = load_labelled_set(tmp_path / "utkface.npz", attribute="age", split="validation")
    (picture,) = data.pictures
    assert load_image(picture).mean() > 250
    assert data.ground_truth == {"utkface": [4]}
    assert data.groups == {"age": ["0–9"], "gender": ["woman"], "race": ["others"]}
    assert data.are_crops


def test_what_is_no_labelled_set_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no pictures there"):
        load_labelled_set(tmp_path, attribute="age")
    write_pictures(tmp_path / "plain" / "1.png")
    with pytest.raises(
        OptionError, match="neither has one folder per label nor pictures named as in UTKFace"
    ):
        load_labelled_set(tmp_path / "plain", attribute="age")
    with pytest.raises(OptionError, match="no such file or folder"):
        load_labelled_set(tmp_path / "nowhere", attribute="age")
    (tmp_path / "a.txt").touch()
    with pytest.raises(OptionError, match=r"a folder, a \.csv or a \.npz file"):
        load_labelled_set(tmp_path / "a.txt", attribute="age")
    np.savez(tmp_path / "a.npz", x=np.zeros(1), y=np.zeros(1))
    with pytest.raises(OptionError, match="is neither FER2013 nor UTKFace; its arrays are x, y"):
        load_labelled_set(tmp_path / "a.npz", attribute="age")
    (tmp_path / "b.npz").write_text("no archive")
    with pytest.raises(OptionError, match=r"b\.npz: cannot be read"):
        load_labelled_set(tmp_path / "b.npz", attribute="age")


def test_labels_of_a_set_can_have_other_names() -> None:
    data = LabelledSet("toy", ["a", "b", "c", "d"], {"x": ["Sadness", "joy", "unclear", None]})
    mapped = data.map_labels({"sadness": "sad", "Unclear": ""})
    assert mapped.ground_truth == {"x": ["sad", "joy", None, None]}
    assert data.ground_truth == {"x": ["Sadness", "joy", "unclear", None]}
    with pytest.raises(OptionError, match="toy: unknown label 'sadnes'; did you mean 'Sadness'"):
        data.map_labels({"sadnes": "sad"})
