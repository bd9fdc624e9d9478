"""What a published file is called in messages."""

from __future__ import annotations

from file_server import published

from faceattr.weights import GoogleDrive


def test_a_weights_file_names_itself_and_its_size() -> None:
    assert str(published()) == "model.h5 (0.256 MB)"


def test_a_google_drive_file_has_an_address() -> None:
    assert str(GoogleDrive("1YCox")) == "https://drive.google.com/uc?id=1YCox"
