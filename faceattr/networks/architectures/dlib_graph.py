"""What dlib's networks have in common: its way to pad, and its residual blocks."""

from __future__ import annotations

from faceattr.networks.graph import Layer


class DlibGraph:
    """Layers, each of which takes the output of the one before it unless told otherwise.

    Args:
        input_name: Name of the input layer.
        side: Height and width of the crops in pixels.

    Attributes:
        layers: The layers so far.
    """

    def __init__(self, input_name: str, side: int) -> None:
        self.layers = [Layer("InputLayer", input_name, {"shape": (side, side, 3)})]
        self._side = side  # of the last output in pixels

    def add(self, kind: str, name: str, *inputs: str, **config: object) -> str:
        """Append a layer and return its name."""
        self.layers.append(Layer(kind, name, config, inputs or (self.layers[-1].name,)))
        return name

    def convolve(
        self, name: str, filters: int, *inputs: str, size: int = 3, stride: int = 1
    ) -> str:
        """Append a convolution, padded as dlib does: only where its stride is 1."""
        return self.add(
            "Conv2D",
            name,
            *inputs,
            filters=filters,
            kernel_size=(size, size),
            strides=(stride, stride),
            padding="same" if stride == 1 else "valid",
        )

    def add_stem(self, filters: int) -> str:
        """Append the first convolution and pooling, to a quarter of the sides."""
        self.convolve("stem", filters, size=7, stride=2)
        self.add("ReLU", "stem_relu")
        self._side = ((self._side - 7) // 2 + 1 - 3) // 2 + 1
        return self.add("MaxPooling2D", "stem_pool", pool_size=(3, 3), strides=(2, 2))

    def add_block(self, name: str, filters: int, last: str, *, halves: bool, widens: bool) -> str:
        """Append a residual block.

        Args:
            name: Begins the names of its layers, and is that of the last one.
            filters: Channels of its output.
            last: Layer that it takes.
            halves: Whether it halves the sides.
            widens: Whether its shortcut appends channels of zeros.
        """
        self.convolve(f"{name}_a", filters, last, stride=2 if halves else 1)
        self.add("ReLU", f"{name}_relu")
        branch = self.convolve(f"{name}_b", filters)
        if halves and self._side % 2 == 0:  # the convolution gives one less than the shortcut
            branch = self.add("ZeroPadding2D", f"{name}_pad", padding=((0, 1), (0, 1)))
        if halves:
            self._side //= 2
            last = self.add("AveragePooling2D", f"{name}_pool", last, pool_size=(2, 2))
        if widens:
            one = {"kernel_size": (1, 1), "use_bias": False}
            last = self.add("Conv2D", f"{name}_widen", last, filters=filters, **one)
        self.add("Add", f"{name}_sum", branch, last)
        return self.add("ReLU", name)
