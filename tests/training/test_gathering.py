from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from disks import full_disk

from faceattr.analyzers.trunks import EMOTION
from faceattr.evaluation.datasets import load_labelled_set
from faceattr.images import ImageSource, load_image
from faceattr.pipeline import Pipeline
from faceattr.training.gathering import BATCH, Gatherer, Look
from faceattr.types import BGRImage


class Seen:
    """Counts the pictures that are looked at, and may stop."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.count = 0
        self._stop_after = stop_after

    def __call__(self, pictures: Iterable[ImageSource]) -> Iterator[ImageSource]:
        for picture in pictures:
            if self.count == self._stop_after:
                raise KeyboardInterrupt
            self.count += 1
            yield picture


def gather(folder: Path, seen: Seen) -> list[Look]:
    gatherer = Gatherer([EMOTION], Pipeline(()))
    data = replace(load_labelled_set(folder, attribute="mask"), are_crops=True)
    return gatherer.gather(data, path=folder, progress=seen)


def test_pictures_are_looked_at_once(masks: Path, face: BGRImage) -> None:
    first, again = Seen(), Seen()
    looks = gather(masks, first)
    remembered = gather(masks, again)
    assert (first.count, again.count) == (24, 0)
    for one, other in zip(looks, remembered, strict=True):
        assert one[:3] == other[:3]
        np.testing.assert_array_equal(one.features, other.features)
    cv2.imwrite(str(masks / "bare" / "0.png"), face)  # another picture under the same name
    cv2.imwrite(str(masks / "bare" / "new.png"), face)
    later = Seen()
    gather(masks, later)
    assert later.count == 2


def test_mirrored_features_are_those_of_the_mirror_image(masks: Path) -> None:
    look = gather(masks, Seen())[0]
    picture = sorted((masks / "bare").iterdir())[0]
    cv2.imwrite(str(picture), load_image(picture)[:, ::-1])
    mirrored = gather(masks, Seen())[0]
    np.testing.assert_allclose(mirrored.features[0], look.features[1], atol=0.03)
    assert np.abs(look.features[0] - look.features[1]).max() > 0.05


def test_an_interrupted_look_goes_on_where_it_ended(masks: Path, face: BGRImage) -> None:
    for index in range(BATCH):
        cv2.imwrite(str(masks / "bare" / f"more{index}.png"), face)
    with pytest.raises(KeyboardInterrupt):
        gather(masks, Seen(stop_after=BATCH + 5))
    later = Seen()
    gather(masks, later)
    assert later.count == 24  # of 24 + 64


def test_a_full_disk_only_forgets(
    masks: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with full_disk(1000):
        looks = gather(masks, Seen())
    assert len(looks) == 24
    assert "the features cannot be remembered" in caplog.text
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_a_damaged_memory_is_made_anew(masks: Path, cache: Path) -> None:
    gather(masks, Seen())
    (file,) = cache.rglob("*.npz")
    file.write_bytes(file.read_bytes()[:1000])
    again = Seen()
    gather(masks, again)
    assert again.count == 24
