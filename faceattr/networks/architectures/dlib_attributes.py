"""dlib's networks for age and gender, by Cydral Technology.

Reference: dnn_age_predictor_v1 and dnn_gender_classifier_v1 of davisking/dlib-models.
"""

from __future__ import annotations

from faceattr.networks.architectures.dlib_graph import DlibGraph
from faceattr.networks.graph import Layer

AGE_CLASSES = 81
GENDER_CLASSES = 2

AGE_BLOCKS = ((64, False), (128, True), (128, False), (256, True), (256, False))
"""Of each residual block: its channels, and whether it halves the sides and doubles them."""

GENDER_STAGES = ((32, 2), (64, 2))
"""Of each stage: channels, and convolutions; an average pooling follows each."""


def dlib_age() -> tuple[Layer, ...]:
    """Return the graph from (N, 64, 64, 3) RGB crops in [0, 255] to (N, 81) probabilities.

    2.7 million parameters, 64 million multiply-adds.
    """
    graph = _begin(64)
    last = graph.add_stem(AGE_BLOCKS[0][0])
    for index, (filters, halves) in enumerate(AGE_BLOCKS):
        last = graph.add_block(f"block{index}", filters, last, halves=halves, widens=halves)
    graph.add("GlobalAveragePooling2D", "features")
    _classify(graph, "age", AGE_CLASSES)
    return tuple(graph.layers)


def dlib_gender() -> tuple[Layer, ...]:
    """Return the graph from (N, 32, 32, 3) RGB crops in [0, 255] to (N, 2) probabilities.

    0.1 million parameters, 25 million multiply-adds.
    """
    graph = _begin(32)
    for stage, (filters, depth) in enumerate(GENDER_STAGES):
        for index in range(depth):
            graph.convolve(f"stage{stage}_{index}", filters)
            graph.add("ReLU", f"stage{stage}_{index}_relu")
        graph.add("AveragePooling2D", f"stage{stage}_pool", pool_size=(2, 2))
    graph.add("Flatten", "flatten")
    graph.add("Dense", "features", units=16, activation="relu")
    _classify(graph, "gender", GENDER_CLASSES)
    return tuple(graph.layers)


def _begin(side: int) -> DlibGraph:
    graph = DlibGraph("crops", side)
    # subtracts the mean color and divides; a Rescaling has one offset for all channels
    graph.add("BatchNormalization", "normalized", epsilon=0.0)
    return graph


def _classify(graph: DlibGraph, name: str, num_classes: int) -> None:
    graph.add("Dense", f"{name}_logits", units=num_classes)
    graph.add("Softmax", name)
