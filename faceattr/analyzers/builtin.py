"""The networks that ship with faceattr, and the trunks in them."""

from __future__ import annotations

from functools import cache
from importlib import resources

from faceattr.engines.base import Engine
from faceattr.networks import graph
from faceattr.networks.formats import npz
from faceattr.networks.graph import Network
from faceattr.types import Trunk

FEATURES = "features"  # the layer at which a trunk ends


@cache
def load_builtin(name: str) -> Network:
    """Return a network of our own.

    Args:
        name: Of its file in the assets, without the ending.
    """
    return npz.load(resources.files("faceattr.assets").joinpath(f"{name}.npz").read_bytes())


def load_builtin_trunk(name: str, engine: Engine) -> Trunk:
    """Return the layers of a network of our own up to its features, compiled."""
    return Trunk(name, engine.compile(graph.up_to(load_builtin(name), FEATURES)))
