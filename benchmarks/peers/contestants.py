"""The systems that are measured, and the tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from benchmarks.peers.environments import DEEPFACE, FACEATTR, FER, MTCNN, UNIFACE, Environment

Kind: TypeAlias = Literal["import", "start", "picture", "batch", "video"]


@dataclass(frozen=True)
class Task:
    """Something that is timed.

    Attributes:
        key: Name in results.
        title: Name in tables.
        kind: ``"import"`` of a package; ``"start"`` of a command or script until it has ended;
            one ``"picture"`` after others; a ``"batch"`` of pictures; a ``"video"``.
        attributes: What is read from faces.
        shows: What the picture or video shows, as in `workloads`.
        goal: Least factor by which faceattr is meant to be faster than deepface.
        peer_task: Key of the task that compares to this one for peers, if it is another.
    """

    key: str
    title: str
    kind: Kind
    attributes: str = ""
    shows: str = "one"
    goal: float | None = None
    peer_task: str = ""


EMOTION = "emotion"
CLASSIC = "classic emotion"
ALL = "emotion, age, gender"
SMALL = "emotion, age, gender by small networks"
FACES = "detection only"

TASKS = (
    Task("import", "(b) import", "import"),
    Task("start emotion", "(a) cold start, emotion", "start", EMOTION, goal=6),
    Task("start all", "(a) cold start, emotion + age + gender", "start", ALL, goal=6),
    Task("one faces", "one picture, detection only", "picture", FACES),
    Task("one emotion", "(c) one face, emotion", "picture", EMOTION, goal=20),
    Task(
        "one classic",
        "(c) one face, emotion, classic network",
        "picture",
        CLASSIC,
        goal=20,
        peer_task="one emotion",
    ),
    Task("one all", "(c) one face, emotion + age + gender", "picture", ALL, goal=12),
    Task("little emotion", "(c) a small picture, emotion", "picture", EMOTION, "little", 20),
    Task(
        "little all",
        "(c) a small picture, emotion + age + gender",
        "picture",
        ALL,
        "little",
        goal=12,
    ),
    Task("one small", "(c) one face, the same by small networks", "picture", SMALL),
    Task("two all", "(d) two faces, emotion + age + gender", "picture", ALL, "two"),
    Task("sixteen all", "(d) 16 faces, emotion + age + gender", "picture", ALL, "sixteen", 15),
    Task("sixteen small", "(d) 16 faces, the same by small networks", "picture", SMALL, "sixteen"),
    Task("many emotion", "(e) 200 pictures, emotion", "batch", EMOTION, "many"),
    Task("many all", "(e) 200 pictures, emotion + age + gender", "batch", ALL, "many"),
    Task("many small", "(e) 200 pictures, the same by small networks", "batch", SMALL, "many"),
    Task("video all", "(g) video, emotion + age + gender", "video", ALL, "video"),
    Task(
        "video every",
        "(g) video, every analyzer on every frame",
        "video",
        ALL,
        "video",
        peer_task="video all",
    ),
)


@dataclass(frozen=True)
class Contestant:
    """A system with its options.

    Attributes:
        name: Name in tables.
        environment: Where it is installed.
        system: Name in `worker.SYSTEMS`.
        module: Module that its users import.
        actions: The actions it is given, by `Task.attributes`; it cannot do other tasks.
        script: Python code with which its users analyze ``{picture}`` once; None for the command
            ``faceattr``.
        options: Options of the system.
        variables: Environment variables of its process.
        tasks: Keys of the tasks to measure; empty for all that it can do.
        is_variant: Whether it only differs in options from another, and is left out by
            ``--quick``.
        stream_options: Further options of videos, by key of the task.
    """

    name: str
    environment: Environment
    system: str
    module: str
    actions: Mapping[str, Sequence[str]]
    script: str | None
    options: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    tasks: Sequence[str] = ()
    is_variant: bool = False
    stream_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def can(self, task: Task) -> bool:
        """Return whether it can do a task that it does not already do under another key."""
        if task.peer_task and self.environment is not FACEATTR:
            return False
        if self.tasks:
            return task.key in self.tasks
        return task.kind == "import" or task.attributes in self.actions


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
        stream_options={"video every": {"freeze": "off"}},
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
        tasks=["one emotion", "one all", "sixteen all"],
        is_variant=True,
    ),
    Contestant(
        "faceattr, detector mtcnn",
        FACEATTR,
        "faceattr",
        "faceattr",
        OURS,
        None,
        options={"detector": "mtcnn"},
        tasks=[
            *("one faces", "one emotion", "one all"),
            *("little emotion", "little all", "sixteen all"),
        ],
    ),
    Contestant(
        "faceattr, detector haar",
        FACEATTR,
        "faceattr",
        "faceattr",
        OURS,
        None,
        options={"detector": "haar"},
        tasks=["one emotion", "one all", "sixteen all"],
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
        tasks=["one emotion", "one all", "sixteen all"],
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
        tasks=["one emotion", "one all", "little emotion", "little all", "sixteen all"],
        is_variant=True,
    ),
)
