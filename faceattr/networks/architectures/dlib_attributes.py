"""dlib's networks for age and gender, by Cydral Technology.

Reference: dnn_age_predictor_v1 and dnn_gender_classifier_v1 of davisking/dlib-models.
"""

from __future__ import annotations

from faceattr.networks.graph import Layer

AGE_CLASSES = 81
GENDER_CLASSES = 2

AGE_BLOCKS = ((64, False), (128, True), (128, False), (256, True), (256, False))
"""Of each residual block: its channels, and whether it halves the sides and doubles them."""

GENDER_STAGES = ((32, 2), (64, 2))
"""Of each stage: channels, and convolutions; an average pooling follows each."""


def dlib_age() -> tuple[Layer, ...]:
    """Return the graph from (N, 64, 64, 3) RGB crops in [0, 255] to (N, 81) probabilities.

    2.7 million parameters, 58 million multiply-adds.
    """
    graph = _Graph(64)
    graph.convolve("stem", AGE_BLOCKS[0][0], size=7, stride=2)
    graph.add("ReLU", "stem_relu")
    block = graph.add("MaxPooling2D", "stem_pool", pool_size=(3, 3), strides=(2, 2))
    for index, (filters, halves) in enumerate(AGE_BLOCKS):
        name = f"block{index}"
        graph.convolve(f"{name}_a", filters, block, stride=2 if halves else 1)
        graph.add("ReLU", f"{name}_relu")
        branch = graph.convolve(f"{name}_b", filters)
        if index == 1:  # 14 px: the convolution gives 6, the pooling 7
            branch = graph.add("ZeroPadding2D", f"{name}_pad", padding=((0, 1), (0, 1)))
        if halves:
            graph.add("AveragePooling2D", f"{name}_pool", block, pool_size=(2, 2))
            block = graph.add(  # appends channels of zeros
                *("Conv2D", f"{name}_widen"), filters=filters, kernel_size=(1, 1), use_bias=False
            )
        graph.add("Add", f"{name}_sum", branch, block)
        block = graph.add("ReLU", name)
    graph.add("GlobalAveragePooling2D", "features")
    graph.classify("age", AGE_CLASSES)
    return tuple(graph.layers)


def dlib_gender() -> tuple[Layer, ...]:
    """Return the graph from (N, 32, 32, 3) RGB crops in [0, 255] to (N, 2) probabilities.

    0.1 million parameters, 25 million multiply-adds.
    """
    graph = _Graph(32)
    for stage, (filters, depth) in enumerate(GENDER_STAGES):
        for index in range(depth):
            graph.convolve(f"stage{stage}_{index}", filters)
            graph.add("ReLU", f"stage{stage}_{index}_relu")
        graph.add("AveragePooling2D", f"stage{stage}_pool", pool_size=(2, 2))
    graph.add("Flatten", "flatten")
    graph.add("Dense", "features", units=16, activation="relu")
    graph.classify("gender", GENDER_CLASSES)
    return tuple(graph.layers)


class _Graph:
    """Layers, each of which takes the output of the one before it unless told otherwise."""

    def __init__(self, side: int) -> None:
        self.layers = [Layer("InputLayer", "crops", {"shape": (side, side, 3)})]
        # subtracts the mean color and divides; a Rescaling has one offset for all channels
        self.add("BatchNormalization", "normalized", epsilon=0.0)

    def add(self, kind: str, name: str, *inputs: str, **config: object) -> str:
        self.layers.append(Layer(kind, name, config, inputs or (self.layers[-1].name,)))
        return name

    def convolve(
        self, name: str, filters: int, *inputs: str, size: int = 3, stride: int = 1
    ) -> str:
        # dlib pads a convolution only where its stride is 1
        padding = "same" if stride == 1 else "valid"
        sizes = {"kernel_size": (size, size), "strides": (stride, stride)}
        return self.add("Conv2D", name, *inputs, filters=filters, padding=padding, **sizes)

    def classify(self, name: str, num_classes: int) -> None:
        self.add("Dense", f"{name}_logits", units=num_classes)
        self.add("Softmax", name)
