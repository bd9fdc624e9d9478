"""`faceattr eval`: how well an analyzer does on labelled pictures."""

from __future__ import annotations

import json
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
from faceattr.results import encode_image

if TYPE_CHECKING:
    from faceattr.evaluation.evaluate import Evaluation


@dataclass(frozen=True, slots=True)
class EvaluationOutput:
    """Where the figures go; to tables on the terminal, if nothing else is said."""

    json: bool = option(False, "Print a JSON object.", "output")
    save: Path | None = option(
        None, "Write confusion matrices here, as PNG.", "output", metavar="DIR"
    )
    overwrite: bool = option(False, "Replace files that exist; inputs never.", "output")


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
    crops: Annotated[
        bool | None,
        typer.Option(
            "--crops/--pictures",
            help="Take the pictures as crops of faces, or find the faces first.",
            show_default="crops for npz and FER2013's csv",
        ),
    ] = None,
) -> None:
    """Measure an analyzer on labelled pictures: accuracy, errors, confusion, calibration."""
    from faceattr.evaluation.datasets import load_labelled_set
    from faceattr.evaluation.evaluate import evaluate
    from faceattr.evaluation.tables import tables_of

    attribute = analyzers.get(action).attribute
    labelled = load_labelled_set(data, attribute=attribute, split=split)
    if crops is not None:
        labelled = replace(labelled, are_crops=crops)
    pipeline = Pipeline.from_options(replace(options, actions=action))
    charts = {}
    if output.save:  # before the work, as much can be wrong with it
        import faceattr.evaluation.plots  # noqa: F401

        if not isinstance(pipeline.outputs[attribute], Labels):
            raise OptionError(f"--save is for confusion matrices, and {action} gives estimates")
        outputs = Outputs(inputs=[data, *labelled.pictures], overwrite=output.overwrite)
        folder = outputs.folder(output.save)
        charts = {name: folder.file(f"{action}-{name}.png") for name in labelled.ground_truth}
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
    if output.json:
        show(json.dumps({"analyzer": action, "split": split, **evaluation.to_dict()}, indent=2))
    else:
        for table in tables_of(evaluation):
            print_figures(table)
    for name, file in charts.items():
        _save_chart(evaluation, name, f"{action} on {evaluation.data}, against {name}", file)


def _save_chart(evaluation: Evaluation, name: str, title: str, file: OutputFile) -> None:
    from faceattr.evaluation.metrics import ClassificationReport
    from faceattr.evaluation.plots import draw_confusion

    report = evaluation.ground_truth[name].report
    assert isinstance(report, ClassificationReport)
    file.write_bytes(encode_image(draw_confusion(report, title=title), ".png"))
