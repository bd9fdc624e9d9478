"""`faceattr eval`: how well an analyzer does on labelled pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from faceattr.analyzers import analyzers
from faceattr.cli.flags import Without, with_flags
from faceattr.cli.rendering import print_figures, say, show, with_progress
from faceattr.cli.signals import INTERRUPTED
from faceattr.errors import OptionError
from faceattr.forms import Labels
from faceattr.options import PipelineOptions, option
from faceattr.outputs import OutputFile, Outputs
from faceattr.pipeline import Pipeline
from faceattr.results import encode_image, to_csv, to_json_line

if TYPE_CHECKING:
    from faceattr.evaluation.datasets import LabelledSet
    from faceattr.evaluation.evaluate import Evaluation
    from faceattr.types import BGRImage

CHARTS = {True: ("", "-calibration", "-mistakes"), False: ("-scatter", "-residuals", "-mistakes")}
PREDICTIONS = (".csv", ".jsonl")


Crops = Annotated[
    bool | None,
    typer.Option(
        "--crops/--pictures",
        help="Take the pictures as crops of faces, or find the faces first.",
        show_default="crops for npz and FER2013's csv",
    ),
]


@dataclass(frozen=True, slots=True)
class EvaluationOutput:
    """Where the figures go; to tables on the terminal, if nothing else is said."""

    json: bool = option(False, "Print a JSON object.", "output")
    csv: bool = option(
        False, "Print a CSV table, one row per set of labels and group of pictures.", "output"
    )
    predictions: Path | None = option(
        None,
        "Write what was read from each picture, and what is true, to this .csv or .jsonl file.",
        "output",
    )
    save: Path | None = option(
        None,
        "Write charts here, as PNG: confusion and calibration, or scatter and errors; and the "
        "worst mistakes.",
        "output",
        metavar="DIR",
    )
    overwrite: bool = option(False, "Replace files that exist; inputs never.", "output")

    def __post_init__(self) -> None:
        if self.json and self.csv:
            raise OptionError("--json and --csv exclude each other; choose one")
        if self.predictions and self.predictions.suffix.lower() not in PREDICTIONS:
            raise OptionError(f"{self.predictions}: the name of this file ends in .csv or .jsonl")


@with_flags
def evaluate_analyzer(
    action: Annotated[str, typer.Argument(metavar="NAME", help="Analyzer; see `faceattr list`.")],
    data: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="A folder with a folder of pictures per label; a CSV file with the columns path "
            "and label; FER2013 as csv or npz; UTKFace as pictures or npz.",
        ),
    ],
    options: Annotated[PipelineOptions, Without({"actions", "min_confidence", "gallery"})],
    output: EvaluationOutput,
    split: Annotated[
        str | None, typer.Option(help="Part of the set: PublicTest.", show_default="all")
    ] = None,
    crops: Crops = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            "--map",
            metavar="OWN=LABEL,…",
            help="Which label a label of the set is: sadness=sad,joy=happy; unclear= leaves out.",
            show_default="same names",
        ),
    ] = None,
) -> None:
    """Measure an analyzer on labelled pictures: accuracy, errors, confusion, calibration.

    The labels of the set are those of the analyzer, in any letter case, or the names of the groups
    that --labels makes of them: --labels smiling=happy,serious=neutral.

    Examples:
        faceattr eval emotion labelled/
        faceattr eval emotion labelled/ --map joy=happy --predictions answers.csv
        faceattr eval age ages.csv --json
        faceattr eval emotion fer2013.csv --split PublicTest --save charts
    """
    from faceattr.evaluation.datasets import load_labelled_set
    from faceattr.evaluation.evaluate import check_labels, evaluate

    attribute = analyzers.get(action).attribute
    labelled = load_labelled_set(data, attribute=attribute, split=split)
    if mapping is not None:
        labelled = labelled.map_labels(dict(_pairs(mapping)))
    if crops is not None:
        labelled = replace(labelled, are_crops=crops)
    pipeline = Pipeline.from_options(replace(options, actions=action))
    check_labels(pipeline, labelled, attribute, options.labels)
    charts: dict[tuple[str, str], OutputFile] = {}
    outputs = Outputs(inputs=[data, *labelled.pictures], overwrite=output.overwrite)
    predictions = outputs.file(output.predictions) if output.predictions else None
    if output.save:  # before the work, as much can be wrong with it
        import faceattr.evaluation.plots  # noqa: F401

        folder = outputs.folder(output.save)
        charts = {
            (name, kind): folder.file(f"{Path(action).name}-{name}{kind}.png")
            for name in labelled.ground_truth
            for kind in CHARTS[isinstance(pipeline.outputs[attribute], Labels)]
        }
    try:
        evaluation = evaluate(
            pipeline,
            labelled,
            attribute=attribute,
            labels=options.labels,
            progress=lambda answers: with_progress(answers, len(labelled), "measuring"),
        )
    except KeyboardInterrupt:
        say("interrupted; nothing was measured")
        raise typer.Exit(INTERRUPTED) from None
    _print(evaluation, action, split, output)
    if evaluation.hint:
        say(evaluation.hint)
    if predictions:
        _write_predictions(evaluation, labelled, predictions)
    for (name, kind), file in charts.items():
        title = f"{action} on {evaluation.data}, against {name}"
        chart = _draw(evaluation, labelled, name, kind, title, pipeline)
        if chart is not None:
            file.write_bytes(encode_image(chart, ".png"))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the parts of ``--map``."""
    for part in filter(None, (one.strip() for one in text.split(","))):
        name, equals, label = (one.strip() for one in part.partition("="))
        if not (name and equals):
            raise OptionError(f"--map is {text!r}; write it like sadness=sad,joy=happy")
        yield name, label


def _print(
    evaluation: Evaluation, action: str, split: str | None, output: EvaluationOutput
) -> None:
    from faceattr.evaluation.tables import figure_rows, tables_of

    if output.json:
        show(json.dumps({"analyzer": action, "split": split, **evaluation.to_dict()}, indent=2))
    elif output.csv:
        rows = list(figure_rows(evaluation))
        columns = list(dict.fromkeys(name for row in rows for name in row))
        cells = [[row.get(name) for name in columns] for row in rows]
        show(to_csv([columns, *cells], end="\n").rstrip("\n"))
    else:
        explained: set[str] = set()
        for table in tables_of(evaluation):
            print_figures(table)
            for note in table.notes:
                if note not in explained:
                    show(note)
            explained.update(table.notes)


def _write_predictions(evaluation: Evaluation, data: LabelledSet, file: OutputFile) -> None:
    from faceattr.evaluation.predictions import predictions_of

    rows = list(predictions_of(evaluation, data))
    if file.path.suffix.lower() == ".csv":
        file.write_text(to_csv([list(rows[0]), *(list(row.values()) for row in rows)]))
    else:
        file.write_text("".join(map(to_json_line, rows)))


def _draw(
    evaluation: Evaluation,
    data: LabelledSet,
    name: str,
    kind: str,
    title: str,
    pipeline: Pipeline,
) -> BGRImage | None:
    """Return a chart of one of `CHARTS`; None if there is nothing to draw."""
    from faceattr.evaluation import plots
    from faceattr.evaluation.metrics import ClassificationReport

    if kind == "-mistakes":
        title = f"worst mistakes of {title}"
        return plots.draw_mistakes(evaluation, data, name, title=title, pipeline=pipeline)
    report = evaluation.ground_truth[name].report
    if isinstance(report, ClassificationReport):
        draw = plots.draw_reliability if kind else plots.draw_confusion
        return draw(report, title=title)
    draw_estimates = plots.draw_scatter if kind == "-scatter" else plots.draw_residuals
    values, ground_truth = evaluation.pairs(name)
    return draw_estimates(values, ground_truth, unit=report.unit, title=title)
