"""Who is measured, and at what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from benchmarks.environments import DEEPFACE, FACEATTR, FER, MTCNN, UNIFACE, Environment

Kind: TypeAlias = Literal["import", "start", "picture", "batch", "video"]


@dataclass(frozen=True)
class Work:
    """Something to do, of which the time is taken.

    Attributes:
        key: What to call it in results.
        title: What to call it in tables.
        kind: ``"import"`` of a package; ``"start"`` of a command or script until it has ended;
            one ``"picture"`` after others; a ``"batch"`` of pictures; a ``"video"``.
        task: What is to be read off faces.
        shows: Of the pictures, or the video.
        goal: How many times faster than deepface faceattr wants to be at least.
        peers: Key of the work at which peers do the same, if it is another.
    """

    key: str
    title: str
    kind: Kind
    task: str = ""
    shows: str = "one"
    goal: float | None = None
    peers: str = ""


EMOTION = "emotion"
CLASSIC = "classic emotion"
ALL = "emotion, age, gender"
SMALL = "emotion, age, gender by small networks"
FACES = "where faces are"

WORKS = (
    Work("import", "(b) import", "import"),
    Work("start emotion", "(a) cold start, emotion", "start", EMOTION, goal=6),
    Work("start all", "(a) cold start, emotion + age + gender", "start", ALL, goal=6),
    Work("one faces", "one picture, detection only", "picture", FACES),
    Work("one emotion", "(c) one face, emotion", "picture", EMOTION, goal=20),
    Work(
        "one classic",
        "(c) one face, emotion, classic network",
        "picture",
        CLASSIC,
        goal=20,
        peers="one emotion",
    ),
    Work("one all", "(c) one face, emotion + age + gender", "picture", ALL, goal=12),
    Work("little emotion", "(c) a small picture, emotion", "picture", EMOTION, "little", 20),
    Work(
        "little all",
        "(c) a small picture, emotion + age + gender",
        "picture",
        ALL,
        "little",
        goal=12,
    ),
    Work("one small", "(c) one face, the same by small networks", "picture", SMALL),
    Work("two all", "(d) two faces, emotion + age + gender", "picture", ALL, "two"),
    Work("sixteen all", "(d) 16 faces, emotion + age + gender", "picture", ALL, "sixteen", 15),
    Work("sixteen small", "(d) 16 faces, the same by small networks", "picture", SMALL, "sixteen"),
    Work("many emotion", "(e) 200 pictures, emotion", "batch", EMOTION, "many"),
    Work("many all", "(e) 200 pictures, emotion + age + gender", "batch", ALL, "many"),
    Work("many small", "(e) 200 pictures, the same by small networks", "batch", SMALL, "many"),
    Work("video all", "(g) video, emotion + age + gender", "video", ALL, "video"),
    Work(
        "video every",
        "(g) video, all anew in every frame",
        "video",
        ALL,
        "video",
        peers="video all",
    ),
)


@dataclass(frozen=True)
class Contestant:
    """A system with its options.

    Attributes:
        name: In tables.
        environment: Where it is installed.
        system: Of `worker.SYSTEMS`.
        module: What its users import.
        actions: What it is asked for, by task; it has no answer to other tasks.
        script: What its users run to read ``{picture}`` once: Python code; None for the command
            faceattr.
        options: Of the system.
        variables: Of its process's environment.
        works: Keys of the works to measure; none for all that it can do.
        is_variant: Whether it is another by its options only, and left out in a hurry.
        videos: What it is told beside, by key of the work.
    """

    name: str
    environment: Environment
    system: str
    module: str
    actions: Mapping[str, Sequence[str]]
    script: str | None
    options: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    works: Sequence[str] = ()
    is_variant: bool = False
    videos: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def can(self, work: Work) -> bool:
        """Return whether this work is for it, and not the same to it as another."""
        if work.peers and self.environment is not FACEATTR:
            return False
        if self.works:
            return work.key in self.works
        return work.kind == "import" or work.task in self.actions

    def without(self, task: str) -> Contestant:
        """Return the same, but for that task."""
        return replace(
            self, actions={key: self.actions[key] for key in self.actions if key != task}
        )


OURS: Mapping[str, Sequence[str]] = {
    FACES: (),
    EMOTION: ("emotion",),
    CLASSIC: ("emotion-cnn",),
    ALL: ("emotion-cnn", "age-vgg", "gender-vgg"),
    SMALL: ("emotion", "age", "gender"),
}
THEIRS: Mapping[str, Sequence[str]] = {
    EMOTION: ("emotion",),
    ALL: ("emotion", "age", "gender"),
}
BY_DEEPFACE = """
from deepface import DeepFace
print(DeepFace.analyze({picture!r}, actions={actions!r}, enforce_detection=False))
"""
BY_FER = """
import cv2
from fer.fer import FER
print(FER().detect_emotions(cv2.imread({picture!r})))
"""
BY_UNIFACE = """
import cv2
from uniface import Emotion, FaceAnalyzer
print(FaceAnalyzer(recognizer=None, predictors=[Emotion()]).analyze(cv2.imread({picture!r})))
"""

CONTESTANTS = (
    Contestant(
        "faceattr",
        FACEATTR,
        "faceattr",
        "faceattr",
        OURS,
        None,
        videos={"video every": {"freeze": "off"}},
    ),
    Contestant(
        "deepface",
        DEEPFACE,
        "deepface",
        "deepface.DeepFace",
        THEIRS,
        BY_DEEPFACE,
    ),
    Contestant(
        "deepface, ONNX",
        DEEPFACE,
        "deepface",
        "deepface.DeepFace",
        THEIRS,
        BY_DEEPFACE,
        variables={"DEEPFACE_BACKEND_ENGINE": "onnx"},
    ),
    Contestant("fer", FER, "fer", "fer.fer", {EMOTION: ()}, BY_FER),
    Contestant(
        "uniface",
        UNIFACE,
        "uniface",
        "uniface",
        {EMOTION: (), SMALL: ("age",)},
        BY_UNIFACE,
    ),
    Contestant("mtcnn", MTCNN, "mtcnn", "mtcnn", {FACES: ()}, None),
    Contestant(
        "faceattr, f32",
        FACEATTR,
        "faceattr",
        "faceattr",
        OURS,
        None,
        options={"precision": "f32"},
        works=["one emotion", "one all", "sixteen all"],
        is_variant=True,
    ),
    Contestant(
        "faceattr, detector haar",
        FACEATTR,
        "faceattr",
        "faceattr",
        OURS,
        None,
        options={"detector": "haar"},
        works=["one emotion", "one all", "sixteen all"],
        is_variant=True,
    ),
    Contestant(
        "faceattr by deepface's calls",
        FACEATTR,
        "deepface",
        "faceattr.deepface",
        THEIRS,
        None,
        options={"module": "faceattr.deepface"},
        works=["one emotion", "one all", "sixteen all"],
        is_variant=True,
    ),
    Contestant(
        "deepface, detector mtcnn",
        DEEPFACE,
        "deepface",
        "deepface.DeepFace",
        THEIRS,
        None,
        options={"detector": "mtcnn"},
        works=["one emotion", "one all", "little emotion", "little all", "sixteen all"],
        is_variant=True,
    ),
)
