"""Flags of a command, made from the fields of options classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from faceattr.cli.completion import FIELDS
from faceattr.options import Flag

PANELS = {
    "basic": "Options",
    "faces": "Faces to find",
    "streaming": "Streaming",
    "output": "Output",
    "server": "Server",
    "limits": "Limits",
    "advanced": "Advanced",
}
METAVARS = {int: "N", float: "NUMBER", Path: "FILE", str: "TEXT", list[str]: "TEXT"}


class Only(frozenset[str]):
    """Names of the only fields of an options class for which a command has flags."""


class Without(frozenset[str]):
    """Names of the fields of an options class for which a command has no flag."""


def with_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter that is an options class by one flag per field of the class.

    A field becomes a flag if its metadata describe one (`faceattr.options.option`). The command
    gets the options as one value, for example::

        @with_flags
        def detect(paths: list[str], options: Annotated[PipelineOptions, Without({"actions"})]):

    Raises:
        OptionError: When the command is called, the options class refuses a value.
    """
    # not get_type_hints(), which makes Optional[Annotated[…]] of a default of None in Python 3.10
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    flags: dict[str, list[inspect.Parameter]] = {panel: [] for panel in PANELS}
    names: dict[str, tuple[type, dict[str, str]]] = {}  # of fields, by those of their flags
    for parameter in signature.parameters.values():
        hint = parameter.annotation
        kind, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        if not is_dataclass(kind):
            parameters.append(parameter.replace(annotation=hint))
            continue
        assert isinstance(kind, type)
        names[parameter.name] = kind, {}
        for field, panel, flag in _flags(kind):
            if all(field in one for one in extras if isinstance(one, Only)) and not any(
                field in one for one in extras if isinstance(one, Without)
            ):
                flags[panel].append(flag)
                names[parameter.name][1][flag.name] = field
    parameters += [flag for panel in flags.values() for flag in panel]

    @wraps(command)
    def run(**values: Any) -> None:
        for parameter, (kind, own) in names.items():
            values[parameter] = kind(**{field: values.pop(name) for name, field in own.items()})
        command(**values)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def flags_given(options: object) -> str:
    """Return the flags by which options differ from their defaults, in words."""
    assert is_dataclass(options)
    return " and ".join(
        field.metadata["flag"].off or f"--{field.name.replace('_', '-')}"
        for field in fields(options)
        if getattr(options, field.name) != field.default
    )


def _flags(kind: type) -> Iterator[tuple[str, str, inspect.Parameter]]:
    """Yield the name, the panel and the parameter for each field that describes a flag."""
    # options.py does not import them
    plugins = {"Analyzer": object, "Detector": object, "Gallery": object}
    hints = get_type_hints(kind, localns=plugins)
    for field in fields(kind):
        flag = field.metadata.get("flag")
        if flag is None:
            continue
        assert isinstance(flag, Flag)
        value_type = _value_type(hints[field.name])
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(default)
        elif value_type is str and default is not None:
            default = str(default)
        parameter = field.name
        name = f"--{field.name.replace('_', '-')}"
        if value_type is bool and default:
            name += f"/--no-{field.name.replace('_', '-')}"
        if flag.off:
            name = f" /{flag.off}"  # as click writes a switch that can only be turned off
            parameter = flag.off.strip("-").replace("-", "_")
        option = typer.Option(
            *([flag.short] if flag.short else []),
            name,
            help=flag.help,
            metavar=flag.metavar or METAVARS.get(value_type),
            rich_help_panel=PANELS[flag.panel],
            show_default=flag.default or (default is not None and not isinstance(default, bool)),
            autocompletion=FIELDS.get(field.name),
        )
        optional = value_type | None if default is None else value_type
        yield (
            field.name,
            flag.panel,
            inspect.Parameter(
                parameter,
                inspect.Parameter.KEYWORD_ONLY,
                default=default,
                annotation=Annotated[optional, option],
            ),
        )


def _value_type(hint: Any) -> Any:
    """Return the type as which the value of a flag is parsed.

    Numbers, paths and switches are parsed by typer. All other options are text that their class
    parses, several texts where it takes an iterable of them.
    """
    choices = set(get_args(hint) or (hint,)) - {type(None)}
    for plain in (bool, int, float, Path):
        if choices == {plain}:
            return plain
    return list[str] if Iterable[str] in choices else str
