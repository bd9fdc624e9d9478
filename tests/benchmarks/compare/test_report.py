from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))  # benchmarks are not installed

from benchmarks.compare.report import Measurement, ratio, to_table


def measurement(version: int, task: str, number: int, seconds: float, peak: int) -> Measurement:
    return Measurement(version, task, number, seconds, seconds / 2, 3.0, peak)


def test_each_round_is_compared_with_itself() -> None:
    slow_machine = [1.0, 10.0, 2.0]
    assert ratio(slow_machine, [1.1, 11.0, 2.2]) == "1.100 (1.100–1.100)"
    assert ratio([2.0], [3.0]) == "1.500"


def test_a_row_has_the_medians_of_both_versions() -> None:
    table = to_table(
        [
            measurement(0, "picture", 1, 0.010, 200_000_000),
            measurement(1, "picture", 1, 0.020, 100_000_000),
            measurement(0, "batch", 1, 0.5, 10**9),
            measurement(1, "batch", 1, 0.5, 10**9),
        ]
    )
    assert table.rows == [
        ["picture", "10.00 ms", "20.00 ms", "2.000", "2.000", "1.000", "200 MB", "100 MB", "0.500"],
        [
            "batch",
            "500.00 ms",
            "500.00 ms",
            "1.000",
            "1.000",
            "1.000",
            "1000 MB",
            "1000 MB",
            "1.000",
        ],
    ]


def test_quartiles_show_how_much_the_rounds_differ() -> None:
    assert ratio([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]) == "3.000 (2.000–4.000)"


@pytest.mark.slow
def test_a_version_compared_with_itself_is_as_fast(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.compare import __main__ as command

    arguments = ["--python", sys.executable, "--python", sys.executable]
    arguments += ["--rounds", "3", "--seconds", "1", "--tasks", "picture", "--actions", "emotion"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["compare", *arguments])
        command.main()
    row = capsys.readouterr().out.splitlines()[-2]
    assert 0.5 < float(row.split("|")[4].split()[0]) < 2
