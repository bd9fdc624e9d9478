"""Somebody who leaves and comes back keeps the track id, where the identity is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from recognition_people import OnePerPicture, Painted, look, painted

from faceattr import Gallery
from faceattr.streaming.analysis import LiveAnalysis
from faceattr.streaming.reunion import MAX_SECONDS, Reunion
from faceattr.types import BGRImage, Descriptor, Frame

NOBODY = np.zeros((16, 16, 3), np.uint8)


def frames(*images: tuple[BGRImage, int]) -> Iterator[Frame]:
    """Yield each picture for a number of frames, ten per second."""
    shown = [image for image, count in images for _ in range(count)]
    return (Frame(image, index, index / 10) for index, image in enumerate(shown))


def track_ids(live: LiveAnalysis, *images: tuple[BGRImage, int]) -> list[int | None]:
    """Return the track id in each frame; None where nobody is."""
    found = [faces for _, faces in live.run(frames(*images))]
    return [faces[0].track_id if faces else None for faces in found]


def seen(seed: int, number: int = 0) -> Descriptor:
    return Descriptor(look(seed, number), private=True)


def test_who_comes_back_gets_the_old_number_and_others_do_not() -> None:
    live = LiveAnalysis([Painted()], detector=OnePerPicture(), frame_threshold=2)
    ids = track_ids(
        live, (painted(1), 8), (NOBODY, 20), (painted(2), 8), (NOBODY, 20), (painted(1, 1), 8)
    )
    assert ids[:8] == [1] * 8
    assert ids[28:36] == [2] * 8
    assert ids[56:] == [3] + [1] * 7  # until the identity is read
    assert live.num_tracks == 2


def test_without_the_identity_every_track_is_new() -> None:
    live = LiveAnalysis([], detector=OnePerPicture())
    ids = track_ids(live, (painted(1), 8), (NOBODY, 20), (painted(1), 8))
    assert set(ids[28:]) == {2}


def test_a_track_is_named_by_its_looks() -> None:
    gallery = Gallery()
    gallery.add_vectors(["ada", "bob"], np.stack([look(1), look(2)]))
    live = LiveAnalysis([Painted()], detector=OnePerPicture(), frame_threshold=2, gallery=gallery)
    assert live.columns == ["identity", "identity_confidence", "identity_score"]
    results = list(live.run(frames((painted(2, 5), 12), (NOBODY, 20), (painted(7), 12))))
    (first,), (last,) = results[5][1], results[-1][1]
    assert first.text("identity").startswith("bob ")
    assert last.text("identity").startswith("unknown ")
    assert "identity" in first.frozen


def test_two_who_are_there_at_once_are_not_joined() -> None:
    reunion = Reunion()
    both = {1: seen(1), 2: seen(1, 1)}
    for step in range(3):
        reunion.update(both, both, alive=both, now=step / 10)
    assert [reunion.number_of(one) for one in both] == [1, 2]


def update(reunion: Reunion, descriptors: dict[int, Descriptor], now: float) -> None:
    reunion.update(descriptors, descriptors, alive=descriptors, now=now)


def test_a_track_that_goes_on_takes_its_number_back() -> None:
    reunion = Reunion()
    update(reunion, {1: seen(1)}, 0.0)
    reunion.update([2], {2: seen(1, 1)}, alive=[1, 2], now=0.5)  # 1 is hidden
    assert reunion.number_of(2) == 1
    reunion.update([1, 2], {}, alive=[1, 2], now=0.6)
    assert [reunion.number_of(one) for one in (1, 2)] == [1, 2]
    assert reunion.num_joined == 0


def test_who_was_gone_for_long_is_somebody_new() -> None:
    reunion = Reunion()
    update(reunion, {1: seen(1)}, 0.0)
    update(reunion, {}, 1.0)
    update(reunion, {}, MAX_SECONDS + 1)
    update(reunion, {2: seen(1, 1)}, MAX_SECONDS + 2)
    assert reunion.number_of(2) == 2


def test_descriptors_of_another_analyzer_are_left_alone() -> None:
    reunion = Reunion()
    short: Sequence[float] = (1.0, 0.0)
    for now, track_id in ((0.0, 1), (9.0, 2)):
        update(reunion, {track_id: Descriptor(np.array(short, np.float32))}, now)
        update(reunion, {}, now + 1)
    assert reunion.num_joined == 0
