"""Put YuNet's published weights into the form that ships with faceattr.

    python -m models.detectors.convert face_detection_yunet_2023mar.onnx

Writes faceattr/assets/yunet.npz. The numbers stay as they are, in float32. Of each stride, the
four heads (face, objectness, box, landmarks) are joined into one of 16 channels, which does the
same in half the time.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import openvino as ov

from faceattr.errors import WeightsError
from faceattr.networks.architectures.yunet import yunet
from faceattr.networks.formats.npz import save
from faceattr.networks.graph import Array, Network
from models.figures import ASSETS, sha256

SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
HEADS = {8: (54, 66, 60, 72), 16: (56, 68, 62, 74), 32: (58, 70, 64, 76)}
"""Number of the first convolution of each head, by stride: face, objectness, box, landmarks."""


def main() -> None:
    """Convert the file and write the asset."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("onnx", type=Path)
    path = parser.parse_args().onnx
    if sha256(path) != SHA256:
        raise WeightsError(f"{path} is another file than the published one")
    with (ASSETS / "yunet.npz").open("wb") as file:
        save(convert(path), file, half=False)


def convert(path: Path) -> Network:
    """Return the network in YuNet's ONNX file, its heads joined."""
    published = _read_convolutions(path)
    joined = {
        f"head{stride}_{part}": [
            np.concatenate(arrays)
            for arrays in zip(*(published.pop(head + step) for head in heads), strict=True)
        ]
        for stride, heads in HEADS.items()
        for step, part in enumerate(("point", "depth"))
    }
    layers = yunet()
    names = [layer.name for layer in layers if layer.kind in ("Conv2D", "DepthwiseConv2D")]
    body = [name for name in names if name not in joined]
    arrays = joined | dict(zip(body, published.values(), strict=True))
    kernels = {layer.name: layer.kind for layer in layers}
    weights = {
        name: [kernel.transpose((2, 3, 0, 1) if kernels[name] != "Conv2D" else (2, 3, 1, 0)), bias]
        for name, (kernel, bias) in arrays.items()
    }
    return Network("yunet", layers, weights)


def _read_convolutions(path: Path) -> dict[int, list[Array]]:
    """Return the kernel (out, in, height, width) and bias of each convolution by its number."""
    convolutions = {}
    for node in ov.Core().read_model(path).get_ordered_ops():
        if node.get_type_name() in ("Convolution", "GroupConvolution"):
            name = node.get_friendly_name().partition("/")[0]
            (bias,) = (
                target.get_node()
                for target in node.output(0).get_target_inputs()
                if target.get_node().get_type_name() == "Add"
            )
            arrays = [_read_constant(node), _read_constant(bias).reshape(-1)]
            convolutions[int(name.removeprefix("Conv_"))] = arrays
    return dict(sorted(convolutions.items()))


def _read_constant(node: ov.Node) -> Array:
    """Return the constant that is the node's second input, before it is given another shape."""
    source = node.input_value(1).get_node()
    while source.get_type_name() != "Constant":
        source = source.input_value(0).get_node()
    return source.data.copy()


if __name__ == "__main__":
    main()
