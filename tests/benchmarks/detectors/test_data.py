from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from benchmarks.detectors.data import far_image, longer_sides, read_wider

ANNOTATIONS = """a/portrait.png
1
10 20 40 50 0 0 0 0 0 0
a/nobody.png
0
0 0 0 0 0 0 0 0 0 0
a/two.png
2
1 2 30 40 0 0 0 0 0 0
5 6 70 80 0 0 0 1 0 0
"""


def write_wider(folder: Path) -> Path:
    (folder / "images" / "a").mkdir(parents=True)
    image = np.full((100, 80, 3), 200, np.uint8)
    cv2.imwrite(str(folder / "images" / "a" / "portrait.png"), image)
    (folder / "wider_face_val_bbx_gt.txt").write_text(ANNOTATIONS)
    return folder


def test_wider_face_is_read_with_images_of_nobody(tmp_path: Path) -> None:
    portrait, nobody, two = read_wider(write_wider(tmp_path))
    assert portrait.path == tmp_path / "images" / "a" / "portrait.png"
    assert portrait.boxes.tolist() == [[10, 20, 50, 70]]
    assert nobody.boxes.shape == (0, 4)
    assert two.valid.tolist() == [True, False]


def test_faces_of_a_far_image_have_the_size_asked_for(tmp_path: Path) -> None:
    image, boxes = far_image(read_wider(write_wider(tmp_path)), size=25)
    assert image.shape == (2160, 3840, 3)
    assert boxes.shape == (24, 4)
    np.testing.assert_allclose(longer_sides(boxes), 25)
    assert (image[:50, :40] == 200).all()  # the portrait at half size
    assert (image[60:500, 50:600] == 128).all()
