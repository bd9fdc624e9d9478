"""Descriptors of faces by dlib's network for face recognition.

The angle between two descriptors says how much two faces look alike; `faceattr.verify` and
`faceattr.Gallery` turn it into a probability that they are of one person.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceattr.alignment import CropSpec
from faceattr.analyzers.base import Analyzer, Reader
from faceattr.analyzers.builtin import load_builtin
from faceattr.arguments import explained
from faceattr.engines.base import Engine
from faceattr.forms import Vector
from faceattr.networks.architectures.dlib_face import NUM_OUTPUTS, SIDE, dlib_face, to_weights
from faceattr.networks.formats.dlib_file import read_layers
from faceattr.networks.graph import Network
from faceattr.types import Attribute, CropBatch, Descriptor, Trunk
from faceattr.weights import Weights, fetch, hash_file

TEMPLATE = (  # median of landmarks in dlib's own chips; models/identity/README.md says how
    (0.308, 0.295),
    (0.672, 0.295),
    (0.490, 0.509),
    (0.326, 0.675),
    (0.654, 0.675),
)
LICENSE = "CC0-1.0; trained on FaceScrub, VGG-Face and pictures from the web"
CROP = CropSpec(size=(SIDE, SIDE), color="rgb", template=TEMPLATE)

DLIB_FACE = Weights(
    filename="dlib_face_recognition_resnet_model_v1.dat",
    sources=(
        "http://dlib.net/files/dlib_face_recognition_resnet_model_v1.dat.bz2",
        "https://github.com/davisking/dlib-models/raw/master/"
        "dlib_face_recognition_resnet_model_v1.dat.bz2",
    ),
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    num_bytes=22_466_066,
    license=LICENSE,
    card="models/identity/README.md",
)


@explained
class IdentityAnalyzer(Analyzer):
    """A descriptor of 128 numbers for telling people apart, from a 150×150 crop.

    Descriptors are biometric data: a face can be found again by them. The card says what they
    must not be used for.

    Args:
        mirror: Whether to take the mean with the descriptor of the mirrored crop: more accurate,
            for twice the time.
    """

    attribute = "identity"
    output = Vector(NUM_OUTPUTS, private=True)
    crop = CROP
    refresh = 1.0
    license = LICENSE
    card = "models/identity/README.md"

    def __init__(self, *, mirror: bool = False) -> None:
        self.mirror = mirror

    def load_network(self) -> Network:
        """Return the network: that of the wheel, its weights in int8."""
        return load_builtin("identity")

    def load(self, engine: Engine) -> Reader:
        """See the base class."""
        trunk = Trunk("identity", engine.compile(self.load_network()))

        def read(batch: CropBatch) -> Sequence[Attribute]:
            vectors = batch.features(trunk)
            if self.mirror:
                vectors = vectors + trunk.run(batch.crops[:, :, ::-1])
            return [Descriptor(vector, private=True) for vector in to_unit_length(vectors)]

        return read


class IdentityDlibAnalyzer(IdentityAnalyzer):
    """The same with the published weights in float32, which are downloaded.

    They are also read from an installed `face_recognition_models`.
    """

    weights = DLIB_FACE

    def load_network(self) -> Network:
        """Return the network with the published weights.

        Raises:
            WeightsError: The file is neither here nor can it be downloaded.
        """
        return load_original(_find_in_package() or fetch(DLIB_FACE))


def load_original(path: Path) -> Network:
    """Return dlib's network, whose descriptors are not of unit length, from dlib's own file.

    Raises:
        WeightsError: The file cannot be read, is damaged, or holds another network.
    """
    weights = to_weights(read_layers(path))
    return Network("identity", dlib_face(), weights, hash_file(path), stored=False)


def to_unit_length(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return (N, D) vectors scaled to length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)


def _find_in_package() -> Path | None:
    """Return the path of the file in an installed face_recognition_models, if it is intact."""
    package = importlib.util.find_spec("face_recognition_models")  # importing it may fail
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder, "models", DLIB_FACE.filename)
        if path.is_file() and hash_file(path) == DLIB_FACE.sha256:
            return path
    return None
