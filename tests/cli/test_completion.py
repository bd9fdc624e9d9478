from __future__ import annotations

import os
import subprocess
import sys

import pytest

from faceattr.cli.completion import complete_actions


def test_the_names_in_a_list_of_actions_are_completed_one_by_one() -> None:
    assert complete_actions("em") == ["emotion", "emotion-cnn"]
    assert complete_actions("emotion,gender-v") == ["emotion,gender-vgg"]
    assert "age,age" not in complete_actions("age,a")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("faceattr det", ["detect"]),
        ("faceattr analyze -a em", ["emotion", "emotion-cnn"]),
        ("faceattr video --detector yu", ["yunet"]),
        ("faceattr analyze --engine o", ["openvino"]),
        ("faceattr stream --freeze fr", ["frame"]),
        ("faceattr info ha", ["haar"]),
        ("faceattr weights fetch age", ["age-vgg"]),
        ("faceattr analyze --min-f", ["--min-face"]),
    ],
)
def test_bash_completes_commands_options_and_their_values(typed: str, expected: list[str]) -> None:
    environment = os.environ | {
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
        "_FACEATTR_COMPLETE": "complete_bash",
    }
    done = subprocess.run(
        [sys.executable, "-m", "faceattr"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (expected, "")
