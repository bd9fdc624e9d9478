from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))  # benchmarks are not installed

from benchmarks.contestants import CONTESTANTS, WORKS  # noqa: E402
from benchmarks.report import Row, as_time, goals, rows_of, summary  # noqa: E402


def turn(contestant: str, work: str, seconds: list[float], **more: Any) -> dict[str, Any]:
    runs = [{"seconds": one, "processor": 2 * one, "items": 4, "faces": 8} for one in seconds]
    return {"contestant": contestant, "work": work, "runs": runs, "error": "", **more}


def results(*turns: dict[str, Any]) -> dict[str, Any]:
    sizes = {one.environment.name: {"num_bytes": 10**9} for one in CONTESTANTS}
    return {"turns": [{"peak_bytes": 10**8, **one} for one in turns], "environments": sizes}


def test_a_time_is_that_of_one_picture_and_the_median_of_all_turns() -> None:
    rows = rows_of(
        results(
            turn("faceattr", "many all", [4.0, 8.0]),
            turn("faceattr", "many all", [6.0]),
            turn("deepface", "many all", [60.0]),
        )
    )
    row = next(row for row in rows if row.title.startswith("(e) 200 pictures, emotion + age"))
    assert row.values["faceattr"] == [1.0, 2.0, 1.5]
    assert row.middle("faceattr") == 1.5
    assert row.ratio("deepface") == 10.0


def test_processor_time_is_that_of_a_thousand_faces() -> None:
    rows = list(rows_of(results(turn("fer", "many emotion", [4.0]))))
    row = next(row for row in rows if row.title.startswith("(i)"))
    assert row.values == {"fer": [1000.0]}


def test_who_has_failed_has_no_figures() -> None:
    failed = turn("deepface", "one all", [], error="no weights")
    (row,) = [
        row
        for row in rows_of(results(failed))
        if row.title == "(c) one face, emotion + age + gender"
    ]
    assert row.values == {}
    assert row.ratio("deepface") is None


def test_the_summary_compares_with_faceattr() -> None:
    row = Row("(c) it", {"faceattr": [0.02], "deepface": [0.5, 0.3]}, as_time, goal=12)
    other = Row("no goal", {"faceattr": [1.0], "deepface": [30.0]}, as_time)
    table = summary([row, other], ["deepface"])
    assert table.header == ["", "faceattr", "deepface"]
    assert table.rows[0] == ["(c) it", "**20.0 ms**", "400 ms (20.0×)"]
    assert goals([row, other], []).rows == [["(c) it", "12×", "20.0×", "reached"]]
    slower = Row("(c) it", {"faceattr": [0.1], "deepface": [0.5]}, as_time, goal=12)
    assert goals([slower], []).rows == [["(c) it", "12×", "5.00×", "**not reached**"]]


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0.00012, "0.120 ms"),
        (0.00456, "4.56 ms"),
        (0.0456, "45.6 ms"),
        (0.4561, "456 ms"),
        (45.6, "45.6 s"),
        (1234.0, "1234 s"),
    ],
)
def test_times_have_three_digits(seconds: float, words: str) -> None:
    assert as_time(seconds) == words


def test_every_work_is_measured_for_faceattr() -> None:
    ours = CONTESTANTS[0]
    assert ours.name == "faceattr"
    assert all(ours.can(work) for work in WORKS)


def test_the_readme_quotes_the_page() -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("## How fast?")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| (")]
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert rows
    assert all(row in page for row in rows)
