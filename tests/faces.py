"""Faces of a stream, and the columns that they take in a table."""

from __future__ import annotations

from collections.abc import Sequence

from scenes import frames, scene

from faceattr.forms import Labels, Unit
from faceattr.streaming.sinks import Sink
from faceattr.types import Classification, Estimate, Face

FACE = Face(
    bbox=(1.04, 2, 30, 40),
    confidence=0.98765,
    attributes={
        "emotion": Classification({"happy": 0.75, "sad": 0.25}),
        "age": Estimate(30.123, unit="years", std=4.0),
    },
)
TRACKED = Face((1, 2, 30, 40), 0.5, track_id=3, frozen={"age": 2.5})
KNOWN = Face((1, 2, 30, 40), 0.5, attributes=FACE.attributes, track_id=4)
FRAMES = frames([scene((step, 10)) for step in range(20)])
COLUMNS = Labels(["happy", "sad"]).columns("emotion") + Unit("years").columns("age")


def write_all(sink: Sink, faces: Sequence[Face], count: int = 20) -> None:
    sink.begin(COLUMNS)
    with sink:
        for frame in FRAMES[:count]:
            sink.write(frame, faces)
