from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers.contestants import CONTESTANTS, TASKS
from benchmarks.peers.measuring import FULL
from benchmarks.peers.report import Row, all_figures, as_time, goals, rows_of, summary, write

ROOT = Path(__file__).parents[3]


def run(contestant: str, task: str, seconds: list[float], **more: Any) -> dict[str, Any]:
    repetitions = [
        {"seconds": one, "cpu_seconds": 2 * one, "items": 4, "faces": 8} for one in seconds
    ]
    return {
        "contestant": contestant,
        "task": task,
        "repetitions": repetitions,
        "error": "",
        "peak_bytes": 10**8,
        "threads": 2,
        **more,
    }


def results(*runs: dict[str, Any]) -> dict[str, Any]:
    sizes = {one.environment.name: {"num_bytes": 10**9} for one in CONTESTANTS}
    return {"runs": list(runs), "environments": sizes}


def test_a_time_is_that_of_one_picture_and_the_median_of_all_runs() -> None:
    rows = rows_of(
        results(
            run("faceattr", "many all", [4.0, 8.0]),
            run("faceattr", "many all", [6.0]),
            run("deepface", "many all", [60.0]),
        )
    )
    row = next(row for row in rows if row.title.startswith("(e) 200 pictures, emotion + age"))
    assert row.values["faceattr"] == [1.0, 2.0, 1.5]
    assert row.median("faceattr") == 1.5
    assert row.ratio("deepface") == 10.0


def test_processor_time_is_that_of_a_thousand_faces() -> None:
    rows = list(rows_of(results(run("fer", "many emotion", [4.0]))))
    row = next(row for row in rows if row.title.startswith("(i)"))
    assert row.values == {"fer": [1000.0]}


def test_who_has_failed_has_no_figures() -> None:
    failed = run("deepface", "one all", [], error="no weights")
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


def test_the_page_says_how_and_what_was_measured(tmp_path: Path) -> None:
    network = {"owner": "emotion", "network": "compact", "precision": "auto", "batch": 1}
    costs = {"multiply_adds": 1e8, "bound_by": "memory", "allowed_seconds": 1e-4, "seconds": 2e-4}
    difference = {"largest": 1.5, "unit": "years", "mean": 0.25, "other_labels": None}
    package = {"num_bytes": 10**9, "largest": {"x": 10**8}, "versions": {"x": "1.0"}}
    write(
        {
            **results(
                run("faceattr", "one all", [0.4]),
                run("deepface", "one all", [4.0]),
                run("uniface", "one emotion", [], error="no network"),
            ),
            "circumstances": {
                "date": "today",
                "minutes": 12.0,
                "processor": "a chip",
                "cores": 2,
                "system": "Linux",
                "python": "3.11",
                "commit": "abc",
                "load": 0.5,
                "settings": asdict(FULL),
                "given_weights": [],
                "pictures": {
                    "sizes": dict.fromkeys(("one", "little", "two", "sixteen"), (640, 480)),
                    "pictures": 3,
                    "faces": 4,
                },
            },
            "limits": {
                "arithmetic": ["BF16"],
                "multiply_adds_per_second": {"auto": 1e12, "f32": 1e11},
                "bytes_per_second": 1e10,
                "networks": [{**network, **costs}],
            },
            "environments": dict.fromkeys(
                ["faceattr", "deepface", "fer", "mtcnn", "uniface"], package
            ),
            "breakdown": {"batch": {"decoding": 1.0, "rest": 3.0, "all": 4.0}},
            "differences": {"faces": 40, "analyzers": {"age": difference}},
        },
        tmp_path,
    )
    page = (tmp_path / "benchmarks.md").read_text()
    assert "2 cores of a chip (BF16), Linux, Python 3.11, faceattr at commit abc" in page
    assert "3 repetitions or more of a picture, for 2 to 5 s" in page
    assert "**Not measured.** uniface: no network" in page
    assert "| (c) one face, emotion + age + gender | **100 ms** | 1.00 s (10.0×) |" in page
    assert "| emotion | compact | auto | 1 | 100 M | 0.100 ms (memory) | 0.200 ms | 50% |" in page
    assert "| batch | 25.0% | 0.0% | 0.0% | 75.0% |" in page
    assert "| age | 1.50 years | 0.250 years | – |" in page
    assert "{" not in page
    assert (tmp_path / "benchmarks.png").stat().st_size > 1000


def test_every_run_of_a_task_is_listed_with_its_memory() -> None:
    table = all_figures(
        [run("faceattr", "many all", [4.0, 8.0]), run("faceattr", "many all", [6.0])]
    )
    assert table.rows == [
        [
            "(e) 200 pictures, emotion + age + gender",
            "faceattr",
            "1.50 s",
            "1.00 s – 2.00 s",
            "3",
            "8 in 4",
            "100 MB",
            "2",
        ]
    ]


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


def test_every_task_is_measured_for_faceattr() -> None:
    ours = CONTESTANTS[0]
    assert ours.name == "faceattr"
    assert all(ours.can(task) for task in TASKS)


def test_the_readme_quotes_the_page() -> None:
    readme = (ROOT / "README.md").read_text()
    section = readme.partition("## How good, how fast?")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| (")]
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert rows
    assert all(row in page for row in rows)
