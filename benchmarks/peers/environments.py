"""The systems' packages, and virtual environments in which they are installed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import BenchmarkError, call_module, environment_variables

ROOT = Path(__file__).parents[2]

IN_EVERY_ENVIRONMENT = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-")


@dataclass(frozen=True)
class Environment:
    """Packages that are installed together.

    Attributes:
        name: Name of its folder.
        requirements: Requirements for pip.
        packages: Packages whose versions are reported.
    """

    name: str
    requirements: tuple[str, ...]
    packages: tuple[str, ...]


FACEATTR = Environment("faceattr", (str(ROOT),), ("faceattr", "openvino", "numpy", "opencv-python"))
DEEPFACE = Environment(
    "deepface",
    # it imports Flask, and OpenCV 5 lacks the cascades that it needs
    (
        "deepface[tensorflow]==0.0.103",
        "flask",
        "tf-keras",
        "opencv-contrib-python-headless<5",
    ),
    ("deepface", "tensorflow", "onnxruntime", "mtcnn", "numpy", "opencv-contrib-python-headless"),
)
FER = Environment(
    "fer",
    ("fer==25.10.3", "opencv-contrib-python<5", "setuptools<81"),  # it needs pkg_resources
    ("fer", "tensorflow", "numpy", "opencv-contrib-python"),
)
MTCNN = Environment(
    "mtcnn",
    ("mtcnn==1.0.0", "tensorflow", "opencv-python<5"),
    ("mtcnn", "tensorflow", "numpy", "opencv-python"),
)
UNIFACE = Environment(
    "uniface",
    ("uniface[cpu]==4.2.1", "torch", "opencv-python<5"),  # its emotion network is TorchScript
    ("uniface", "onnxruntime", "torch", "numpy", "opencv-python"),
)
# makes the stand-in weights; apart, so that ONNX's own package is not counted as faceattr's
TOOLS = Environment("tools", (str(ROOT), "onnx"), ())

MEASURED = (FACEATTR, DEEPFACE, FER, MTCNN, UNIFACE)


@dataclass(frozen=True)
class Workspace:
    """The folder in which the benchmark keeps what it makes.

    Attributes:
        folder: Environments, weights and pictures; later runs use them again.
    """

    folder: Path

    def python(self, environment: Environment) -> Path:
        """Return the interpreter of an environment."""
        return self.folder / "environments" / environment.name / "bin" / "python"

    def variables(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables for processes that are measured."""
        return environment_variables(
            FACEATTR_HOME=str(self.folder / "faceattr"),
            FACEATTR_OFFLINE="1",
            DEEPFACE_HOME=str(self.folder / "deepface"),
            **(extra or {}),
        )

    def call(
        self,
        environment: Environment,
        module: str,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
    ) -> Any:
        """Run a module of this package in a fresh process of an environment.

        Args:
            environment: Has the packages that the module imports.
            module: Name of the module, which prints JSON in its last line.
            arguments: Command-line arguments of the module.
            variables: Further environment variables.

        Returns:
            What the module printed.

        Raises:
            BenchmarkError: It failed; the message is the last line that it wrote.
        """
        try:
            return call_module(
                self.python(environment),
                f"{__package__}.{module}",
                *arguments,
                env=self.variables(variables),
            )
        except BenchmarkError as error:
            raise BenchmarkError(str(error).replace(str(self.folder), "…")) from error

    def make(self, environment: Environment) -> None:
        """Make an environment unless it exists; faceattr itself is always installed again.

        Raises:
            BenchmarkError: pip failed.
        """
        folder = self.python(environment).parents[1]
        record = folder / "requirements.json"
        wanted = json.dumps([sys.version, *environment.requirements])
        if record.is_file() and record.read_text() == wanted:
            if str(ROOT) in environment.requirements:
                self._install(environment, ["--no-deps", "--force-reinstall", str(ROOT)])
            return
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        self._install(environment, environment.requirements)
        record.write_text(wanted)

    def _install(self, environment: Environment, requirements: Sequence[str]) -> None:
        command = [str(self.python(environment)), "-I", "-m", "pip", "install", "--quiet"]
        done = subprocess.run(
            [*command, *requirements], env=self.variables(), capture_output=True, text=True
        )
        if done.returncode:
            raise BenchmarkError(f"pip install {' '.join(requirements)}: {done.stderr.strip()}")

    def describe(self, environment: Environment) -> dict[str, Any]:
        """Return the versions of an environment's packages, and their size on disk."""
        command = [str(self.python(environment)), "-I", "-m", "pip", "list", "--format=json"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        versions = {row["name"].lower(): row["version"] for row in json.loads(done.stdout)}
        sizes = dict(self._sizes(environment))
        return {
            "versions": {name: versions.get(name, "–") for name in environment.packages},
            "all_versions": versions,
            "num_bytes": sum(sizes.values()),
            "largest": dict(sorted(sizes.items(), key=lambda item: -item[1])[:8]),
        }

    def _sizes(self, environment: Environment) -> Iterator[tuple[str, int]]:
        """Yield the name and bytes of each installed folder, without bytecode and pip's own."""
        (packages,) = self.python(environment).parents[1].glob("lib/python*/site-packages")
        for path in sorted(packages.iterdir()):
            if not path.name.startswith((*IN_EVERY_ENVIRONMENT, "__pycache__")):
                files = path.rglob("*") if path.is_dir() else [path]
                yield (
                    path.name,
                    sum(
                        file.stat().st_size
                        for file in files
                        if file.is_file() and "__pycache__" not in file.parts
                    ),
                )
