from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cli.conftest import Command
from disks import skipping_without_links

from faceattr import analyze, draw_faces
from faceattr.images import load_image
from faceattr.pipeline import Pipeline
from faceattr.results import ImageResult


def test_a_table_shows_each_face(faceattr: Command, astronaut: Path) -> None:
    done = faceattr("analyze", astronaut)
    assert done.status == 0
    assert "astronaut.png" in done.stdout
    assert "happy" in done.stdout


def test_json_has_one_object_per_picture(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    done = faceattr("analyze", astronaut, tmp_path / "no.jpg", "--json")
    assert done.status == 1
    found, missing = json.loads(done.stdout)
    assert found["source"] == str(astronaut)
    assert (found["width"], found["height"]) == (512, 512)
    assert found["faces"][0]["attributes"]["emotion"]["label"] == "happy"
    assert missing["source"] == str(tmp_path / "no.jpg")
    assert "no such file" in missing["error"]
    assert "no such file" in done.stderr


def test_labels_can_be_grouped(faceattr: Command, astronaut: Path) -> None:
    done = faceattr("analyze", astronaut, "--labels", "good=happy+surprise,bad=sad+fear", "--json")
    emotion = json.loads(done.stdout)[0]["faces"][0]["attributes"]["emotion"]
    assert emotion["label"] == "good"
    assert list(emotion["scores"]) == ["good", "bad", "other"]


def test_csv_has_one_row_per_face(faceattr: Command, astronaut: Path) -> None:
    (row,) = csv.DictReader(io.StringIO(faceattr("analyze", astronaut, "--csv").stdout))
    assert row["source"] == str(astronaut)
    assert row["emotion"] == "happy"
    assert float(row["emotion_happy"]) == float(row["emotion_confidence"])


def test_a_bad_file_is_reported_and_the_rest_go_on(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.png").write_text("no picture")
    (tmp_path / "good.png").write_bytes(astronaut.read_bytes())
    done = faceattr("analyze", tmp_path, "--save", tmp_path / "out")
    assert done.status == 1
    assert "bad.png" in done.stderr
    assert "Traceback" not in done.stderr
    assert "good.png" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["good.png"]
    drawn = load_image(tmp_path / "out" / "good.png")
    assert not np.array_equal(drawn, load_image(astronaut))


def test_flags_say_what_is_drawn_on_pictures(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    image = load_image(astronaut)
    (face,) = analyze(image)
    choices: list[tuple[list[str], dict[str, Any]]] = [
        (["--no-labels", "--landmarks"], {"labels": False, "landmarks": True}),
        (["--blur", "--labels", "happy,sad"], {"blur": True}),
        (["--bars"], {"bars": True}),
    ]
    for flags, keywords in choices:
        folder = tmp_path / flags[0]
        assert faceattr("analyze", astronaut, "--save", folder, *flags).status == 0
        drawn = load_image(folder / "astronaut.png")
        expected = draw_faces(image, [face], **keywords)
        assert (drawn != expected).any(axis=2).mean() < 0.01  # other words on the label
        assert (drawn != draw_faces(image, [face])).any(axis=2).mean() > 0.001
    assert faceattr("detect", astronaut, "--save", tmp_path / "out", "--blur").status == 0
    assert not analyze(tmp_path / "out" / "astronaut.png")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--blur", "--no-labels"], "--no-labels and --blur: there are no annotated pictures"),
        (["--actions", "emotoin"], "did you mean 'emotion'"),
        (["--detector", "mtcn"], "did you mean 'mtcnn'"),
        (["--json", "--csv"], "--json and --csv exclude each other"),
        (["--output", "faces.txt"], "in which form? Add --json, --jsonl or --csv"),
        (["--resume", "--csv"], "add --output or --save"),
        (["--resume", "--overwrite", "--save", "out"], "exclude each other"),
        (["--precision", "f8"], "it can be 'auto', 'f32' or 'int8'"),
        (["--labels", "hapy,sad"], "did you mean 'happy'"),
        (["--min-confidence", "2"], "it must be at least 0 and at most 1"),
    ],
)
def test_a_wrong_word_is_one_line_and_status_2(
    faceattr: Command, astronaut: Path, arguments: list[str], message: str
) -> None:
    done = faceattr("analyze", astronaut, *arguments)
    assert done.status == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_without_pictures_is_an_error(faceattr: Command, tmp_path: Path) -> None:
    done = faceattr("analyze", tmp_path)
    assert done.status == 1
    assert str(tmp_path) in done.stderr


def test_a_picture_that_cannot_be_saved_costs_no_result(faceattr: Command, tmp_path: Path) -> None:
    _, png = cv2.imencode(".png", np.zeros((32, 20_000, 3), np.uint8))
    (tmp_path / "wide.webp").write_bytes(png.tobytes())  # WebP itself has at most 16,383 columns
    save = tmp_path / "out"
    done = faceattr("detect", tmp_path / "wide.webp", "-d", "whole", "--csv", "--save", save)
    assert done.status == 1
    assert "OpenCV cannot write 20000×32 pixels as .webp" in done.stderr
    assert "20000.0,32.0" in done.stdout


def test_weights_that_are_missing_offline_say_what_to_do(
    faceattr: Command, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")
    done = faceattr("analyze", astronaut, "--actions", "age-vgg")
    assert done.status == 1
    for words in (
        "age_model_weights.h5",
        "539 MB",
        "0aeff75734bf",
        "https://github.com",
        "weights",
    ):
        assert words in done.stderr


def test_faces_are_found_without_reading_them(faceattr: Command, astronaut: Path) -> None:
    done = faceattr("detect", astronaut, "--json", "--max-faces", 1, "--min-face", 0.1)
    (found,) = json.loads(done.stdout)
    (face,) = found["faces"]
    assert face["attributes"] == {}
    assert len(face["landmarks"]) == 5
    none = faceattr("detect", astronaut, "--min-face", 500)
    assert "nobody" in none.stdout
    assert (
        "min_face is -1.0; it must be above 0"
        in faceattr("detect", astronaut, "--min-face", "-1").stderr
    )


def test_unsure_faces_have_scores_but_no_label(faceattr: Command, astronaut: Path) -> None:
    options = ["--labels", "good=happy+surprise,bad=sad+angry", "--min-confidence", "1"]
    assert "uncertain" in faceattr("analyze", astronaut, *options).stdout
    done = faceattr("analyze", astronaut, *options, "--csv")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["emotion"] == ""
    assert float(row["emotion_good"]) > 0.9


def test_json_lines_have_one_object_per_picture(faceattr: Command, astronaut: Path) -> None:
    done = faceattr("detect", astronaut, "no.jpg", "--jsonl")
    found, missing = map(json.loads, done.stdout.splitlines())
    assert found["source"] == str(astronaut)
    assert len(found["faces"]) == 1
    assert missing == {"source": "no.jpg", "error": "no.jpg: no such file"}


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_results_go_to_a_file_in_the_form_of_its_name(
    faceattr: Command, astronaut: Path, tmp_path: Path, form: str
) -> None:
    file = tmp_path / f"faces.{form}"
    assert faceattr("detect", astronaut, "--output", file, "--quiet") == (0, "", "")
    written = file.read_text()
    assert written.replace("\r", "") == faceattr("detect", astronaut, f"--{form}").stdout
    refused = faceattr("detect", astronaut, "--output", file)
    assert (refused.status, file.read_text()) == (1, written)
    assert "exists already" in refused.stderr
    assert faceattr("detect", "no.jpg", "--output", file, "--overwrite").status == 1
    assert "no such file" in file.read_text()


def test_one_empty_source_of_several_is_reported(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    done = faceattr("detect", f"{tmp_path}/*.jpeg", tmp_path / "empty", astronaut, "--json", "-q")
    assert done.status == 1
    assert [result["source"] for result in json.loads(done.stdout)] == [str(astronaut)]
    assert [line.rpartition(": ")[2] for line in done.stderr.splitlines()] == [
        "no pictures there"
    ] * 2


def test_inputs_are_never_written_to(faceattr: Command, astronaut: Path, tmp_path: Path) -> None:
    photo = tmp_path / "photo.csv.png"
    photo.write_bytes(astronaut.read_bytes())
    with skipping_without_links():
        (tmp_path / "link.csv").symlink_to(photo)
    for flag, output in (("--save", tmp_path), ("-o", photo), ("-o", tmp_path / "link.csv")):
        done = faceattr("detect", photo, flag, output, "--csv", "--overwrite")
        assert done.status == 1
        assert "this is an input of the run" in done.stderr
    assert photo.read_bytes() == astronaut.read_bytes()


def test_a_run_that_is_resumed_says_what_is_there_already(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    file = tmp_path / "faces.jsonl"
    assert faceattr("detect", astronaut, "-o", file).status == 0
    done = faceattr("detect", astronaut, "no.jpg", "-o", file, "--resume")
    assert done.stderr.startswith("faceattr: 1 of 2 pictures are there already\n")
    found, missing = map(json.loads, file.read_text().splitlines())
    assert (found["source"], missing["source"]) == (str(astronaut), "no.jpg")


def test_a_run_is_not_resumed_with_other_options(
    faceattr: Command, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Pipeline.analyze_each

    def analyze_each(pipeline: Pipeline, images: list[str]) -> Iterator[ImageResult]:
        yield from whole(pipeline, images[:2])
        raise KeyboardInterrupt

    for name in "abc":
        (tmp_path / f"{name}.png").write_bytes(astronaut.read_bytes())
    command = ["detect", f"{tmp_path}/*.png", "-o", str(tmp_path / "faces.csv")]
    command += ["--save", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "analyze_each", analyze_each)
        assert faceattr(*command).status == 130
    for odd, message in {
        "--blur": "had the options drawing={'labels': True",
        "--detector=haar": "had the options detector='yunet'",
        "--threshold=0.9": "this one has threshold=0.9; resume with the same options",
        "--precision=f32": "precision='auto'; this one has precision='f32'",
    }.items():
        refused = faceattr(*command, "--resume", odd)
        assert refused.status == 1
        assert message in refused.stderr
    assert faceattr(*command, "--resume", "--threads", "1").status == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png", "c.png"]
    assert not list(tmp_path.glob(".*"))


def test_an_interrupted_run_shows_what_was_done(
    faceattr: Command, astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def analyze_each(pipeline: Pipeline, images: list[str]) -> Iterator[ImageResult]:
        yield ImageResult(images[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(Pipeline, "analyze_each", analyze_each)
    table = faceattr("detect", astronaut, "b.png")
    assert table.status == 130
    assert "astronaut.png" in table.stdout
    assert table.stderr == "faceattr: interrupted; 1 of 2 pictures are done\n"
    listed = faceattr("detect", astronaut, "b.png", "--json")
    assert (listed.status, len(json.loads(listed.stdout))) == (130, 1)


def test_an_address_that_is_none_is_an_error_of_that_picture(
    faceattr: Command, tmp_path: Path
) -> None:
    done = faceattr("detect", "http://[x/photo.png", "--save", tmp_path / "out")
    assert done.status == 1
    assert done.stderr.startswith("faceattr: http://[x/photo.png: cannot be fetched")


def test_a_video_is_an_error_that_names_the_command_for_it(faceattr: Command, clip: Path) -> None:
    done = faceattr("analyze", clip, "--jsonl")
    advice = f"{clip}: a video, not a picture; use `faceattr video {clip}`"
    assert done.status == 1
    assert json.loads(done.stdout)["error"] == advice
    assert done.stderr.startswith(f"faceattr: {advice}\n")
    assert "no such file" in faceattr("analyze", "no.mp4").stderr


def test_the_last_line_says_what_was_written_where(
    faceattr: Command, astronaut: Path, tmp_path: Path
) -> None:
    table, folder = tmp_path / "faces.csv", tmp_path / "out"
    done = faceattr("detect", astronaut, "no.jpg", "-o", table, "-s", folder)
    error, closing = done.stderr.splitlines()
    assert error == "faceattr: no.jpg: no such file"
    assert closing.startswith("faceattr: 2 pictures, 1 face, 1 failed, ")
    assert closing.endswith(f" s; wrote {table} and 1 picture in {folder}{os.sep}")


def test_the_table_has_boxes_if_they_are_asked_for(faceattr: Command, astronaut: Path) -> None:
    assert " x1 " not in faceattr("analyze", astronaut).stdout
    assert " x1 " in faceattr("analyze", astronaut, "--boxes").stdout
    assert " x1 " in faceattr("detect", astronaut).stdout
