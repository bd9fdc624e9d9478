"""A narrow VGG-Face, and the random weights of `faceattr.testing.stand_ins`."""

from __future__ import annotations

from functools import partial

import pytest

from faceattr.networks.architectures import vgg_face
from faceattr.testing.stand_ins import random_weights, write_hdf5

__all__ = ["narrow_vgg_face", "random_weights", "write_hdf5"]


def narrow_vgg_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make VGG-Face small enough for a test."""
    for name, options in {
        "trunk": {"width": 2},
        "head": {"width": 2, "hidden": 16},
        "vgg_face": {"width": 2, "hidden": 16},
    }.items():
        monkeypatch.setattr(vgg_face, name, partial(getattr(vgg_face, name), **options))
