"""Virtual environments, one for each system that is measured."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent

DISTURBING = ("PYTHON", "OPENBLAS_", "FACEATTR_", "DEEPFACE_", "TF_", "OMP_")
"""How variables begin that a user has set and that would change what is measured."""
OF_EVERY_ENVIRONMENT = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-")


class BenchmarkError(Exception):
    """Something that is to be measured does not work; the message says what."""


@dataclass(frozen=True)
class Environment:
    """Packages that are installed together.

    Attributes:
        name: Of its folder.
        requirements: What pip is asked for.
        packages: Whose versions are reported.
    """

    name: str
    requirements: tuple[str, ...]
    packages: tuple[str, ...]


FACEATTR = Environment("faceattr", (str(ROOT),), ("faceattr", "openvino", "numpy", "opencv-python"))
DEEPFACE = Environment(
    "deepface",
    # without Flask it does not import; OpenCV 5 has none of the cascades that it needs
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
    ("uniface[cpu]==4.2.1", "torch", "opencv-python<5"),  # its emotions are TorchScript
    ("uniface", "onnxruntime", "torch", "numpy", "opencv-python"),
)
TOOLS = Environment("tools", ("numpy", "h5py", "onnx"), ())

MEASURED = (FACEATTR, DEEPFACE, FER, MTCNN, UNIFACE)


@dataclass(frozen=True)
class Place:
    """The folder in which a benchmark keeps what it makes, and what runs there.

    Attributes:
        folder: Environments, weights and pictures; another run finds them there.
    """

    folder: Path

    def python(self, environment: Environment) -> Path:
        """Return the interpreter of an environment."""
        return self.folder / "environments" / environment.name / "bin" / "python"

    def variables(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables of what is measured: the user's, but what disturbs."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(DISTURBING)}
        return kept | {
            "FACEATTR_HOME": str(self.folder / "faceattr"),
            "FACEATTR_OFFLINE": "1",
            "DEEPFACE_HOME": str(self.folder / "deepface"),
            **(extra or {}),
        }

    def ask(
        self,
        environment: Environment,
        script: str,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
    ) -> Any:
        """Return what a script of this folder says in an environment, in a fresh process.

        Args:
            environment: With the packages that it imports.
            script: Its file, which prints JSON in the end.
            arguments: Of the script.
            variables: Environment variables to set besides.

        Raises:
            BenchmarkError: It failed; the message is the last line that it wrote.
        """
        command = [str(self.python(environment)), "-I", str(HERE / script), *arguments]
        done = subprocess.run(
            command, env=self.variables(variables), capture_output=True, text=True
        )
        if done.returncode:
            last = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]
            raise BenchmarkError(last.replace(str(self.folder), "…"))
        return json.loads(done.stdout.strip().splitlines()[-1])

    def make(self, environment: Environment) -> None:
        """Make an environment, unless it is there; faceattr itself is installed anew each time.

        Raises:
            BenchmarkError: pip failed.
        """
        folder = self.python(environment).parents[1]
        record = folder / "requirements.json"
        wanted = json.dumps([sys.version, *environment.requirements])
        if record.is_file() and record.read_text() == wanted:
            if environment is FACEATTR:
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
        """Return the versions of an environment's packages, and how large they are together."""
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
        """Yield each installed folder and its bytes, but for what every environment has."""
        (packages,) = self.python(environment).parents[1].glob("lib/python*/site-packages")
        for path in sorted(packages.iterdir()):
            if not path.name.startswith((*OF_EVERY_ENVIRONMENT, "__pycache__")):
                files = path.rglob("*") if path.is_dir() else [path]
                yield (
                    path.name,
                    sum(
                        file.stat().st_size
                        for file in files
                        if file.is_file() and "__pycache__" not in file.parts
                    ),
                )
