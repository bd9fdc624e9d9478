"""A trained head as a plugin package, which pip installs and others can publish."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from faceattr.analyzers import analyzers
from faceattr.analyzers.trunks import TRUNKS
from faceattr.errors import OptionError
from faceattr.networks.formats import trained
from faceattr.outputs import AnyPath, OutputFile, Outputs, sink_errors
from faceattr.training.tables import tables_of
from faceattr.training.training import Training

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.26"]
build-backend = "hatchling.build"

[project]
name = "faceattr-{name}"
version = "1.0.0"
description = "For faceattr: an analyzer that reads {attribute} off faces."
readme = "README.md"
requires-python = ">=3.10"
dependencies = ["faceattr>={version}"]

[project.optional-dependencies]
test = ["pytest>=8"]

[project.entry-points."faceattr.analyzers"]
{name} = "{module}:{cls}"

[tool.hatch.build.targets.wheel]
packages = ["{module}"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""

MODULE = '''\
"""Reads {attribute} off faces: a plugin for faceattr, made by `faceattr train`."""

from __future__ import annotations

from pathlib import Path

from faceattr import trained_analyzer

{cls} = trained_analyzer(Path(__file__).with_name("{name}.faceattr"))
'''

TEST = """\
from __future__ import annotations

import faceattr
from faceattr.testing import contract_test
from {module} import {cls}

test_{identifier}_keeps_the_rules = contract_test({cls})


def test_{identifier}_is_known_by_its_name() -> None:
    assert "{name}" in faceattr.list_analyzers()
"""

CARD = """\
# faceattr-{name}

Reads `{attribute}` off faces, with [faceattr](https://github.com/faceattr/faceattr).

```console
pip install .
faceattr analyze photo.jpg --actions emotion,{name}
```

| | |
| --- | --- |
| gives | {output} |
| model | {model} |
| learned from | {pictures}: {counts} |
| made by | faceattr {version} |

{tables}
Figures are of pictures that were not learned from (cross-validation). They hold for pictures
like those that it learned from. Say here where these came from, whom they show, and what they may
be used for, before you publish the package.

{warnings}"""


class Package:
    """The files of a plugin package, claimed before anything is learned.

    Args:
        attribute: Name of what the analyzer reads.
        folder: Where to; it is made if need be.
        outputs: The files of the run.

    Raises:
        OptionError: The attribute has no letter or digit of which a name could be made.
        SinkError: A file exists or cannot be written.
    """

    def __init__(self, attribute: str, folder: AnyPath, outputs: Outputs) -> None:
        name = re.sub(r"[^a-z0-9]+", "-", attribute.casefold()).strip("-")
        if not name:
            raise OptionError(
                f"--package needs an attribute with letters from a to z, and it is {attribute!r}"
            )
        if name[0].isdigit():
            name = f"own-{name}"
        if name in analyzers:  # a package must not claim the name of another
            name = f"{name}-own"
        identifier = name.replace("-", "_")
        self._names = {
            "attribute": attribute.replace('"', "'"),
            "name": name,
            "identifier": identifier,
            "module": f"faceattr_{identifier}",
            "cls": "".join(part.capitalize() for part in name.split("-")) + "Analyzer",
        }
        module = self._names["module"]
        self.folder = Path(folder)
        for parent in (self.folder / module, self.folder / "tests"):
            with sink_errors(parent, "made"):
                parent.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, OutputFile] = {
            path: outputs.file(self.folder / path)
            for path in (
                *("pyproject.toml", "README.md", f"{module}/__init__.py", f"{module}/py.typed"),
                *(f"{module}/{name}.faceattr", f"tests/test_{identifier}.py"),
            )
        }

    def write(self, training: Training) -> None:
        """Write the package around a trained head.

        Raises:
            SinkError: A file cannot be written.
        """
        contents = dict(self._contents(training))
        for path, file in self._files.items():
            content = contents[path]
            if isinstance(content, bytes):
                file.write_bytes(content)
            else:
                file.write_text(content)

    def _contents(self, training: Training) -> Iterator[tuple[str, str | bytes]]:
        from faceattr import __version__

        names = {**self._names, "version": __version__}
        module, name = names["module"], names["name"]
        yield "pyproject.toml", PYPROJECT.format(**names)
        yield "README.md", CARD.format(**names, **_figures(training))
        yield f"{module}/__init__.py", MODULE.format(**names)
        yield f"{module}/py.typed", ""
        yield f"{module}/{name}.faceattr", trained.save(training.head)
        yield f"tests/test_{names['identifier']}.py", TEST.format(**names)


def _figures(training: Training) -> dict[str, str]:
    head, count = training.head, sum(training.counts.values())
    names = [f"`{part.name}`" for part in TRUNKS[head.trunk].parts]
    networks = f"network{'s' if len(names) > 1 else ''} {' and '.join(names)}"
    return {
        "output": str(head.output),
        "model": f"a linear head on the features of faceattr's {networks}"
        if head.layers is None
        else f"a network, all of whose layers were trained from faceattr's `{head.trunk}`",
        "pictures": f"{count} pictures of {training.data}",
        "counts": ", ".join(f"{label} {number}" for label, number in training.counts.items()),
        "tables": "\n".join(table.to_markdown() for table in tables_of(training)),
        "warnings": "".join(f"- Note: {warning}.\n" for warning in training.warnings),
    }
