"""The classic analyzers say what their networks say, and share a trunk where it is the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from standins import narrow_vgg_face, random_weights, write_hdf5

from faceattr import Pipeline
from faceattr.alignment import CropSpec
from faceattr.analyzers import analyzers
from faceattr.analyzers.base import Analyzer, HeadAnalyzer
from faceattr.analyzers.emotion_cnn import EMOTION_CNN, EmotionCnnAnalyzer
from faceattr.analyzers.vgg_face import (
    AGE_VGG,
    GENDER_VGG,
    RACE_VGG,
    AgeVggAnalyzer,
    GenderVggAnalyzer,
    RaceVggAnalyzer,
    trunk_and_head,
)
from faceattr.detectors.base import Detector, Search
from faceattr.engines import create_engine
from faceattr.engines.base import Engine
from faceattr.errors import OptionError, WeightsError
from faceattr.forms import Unit
from faceattr.networks.architectures import emotion_cnn, vgg_face
from faceattr.networks.formats.hdf5 import Hdf5Weights
from faceattr.networks.graph import Array, Layer
from faceattr.types import (
    Attribute,
    BGRImage,
    Classification,
    CropBatch,
    CropGeometry,
    Crops,
    Detection,
    Estimate,
    Features,
    Trunk,
)
from faceattr.weights import Weights, import_file

CROPS = np.random.default_rng(3).integers(0, 256, (2, 224, 224, 3)).astype(np.uint8)
PICTURE: BGRImage = CROPS[0]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEATTR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DEEPFACE_HOME", str(tmp_path))
    monkeypatch.setenv("FACEATTR_OFFLINE", "1")


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow_vgg_face(monkeypatch)


@pytest.fixture
def engine() -> Engine:
    return create_engine("openvino", precision="f32")


def stand_in(
    weights: Weights,
    layers: tuple[Layer, ...],
    tmp_path: Path,
    *,
    trunk: int = 0,
    scores: list[float] | None = None,
) -> None:
    """Trust random weights in the place of published ones.

    Args:
        weights: The published ones.
        layers: Their graph.
        tmp_path: Where to write.
        trunk: Seed of all but the last three layers.
        scores: Probabilities that the network gives whatever it sees.
    """
    arrays = random_weights(layers, seed=trunk)
    for name in list(arrays)[-3:]:
        arrays[name] = random_weights(layers, seed=len(weights.filename))[name]
    if scores is not None:
        kernel, bias = list(arrays.values())[-1]
        kernel[:] = 0
        bias[:] = np.log(np.maximum(scores, 1e-30))
    write_hdf5(tmp_path / weights.filename, arrays)
    import_file(tmp_path / weights.filename, weights, trust=True)


def test_age_is_the_mean_of_the_distribution_with_its_spread(
    engine: Engine, tmp_path: Path
) -> None:
    scores = [0.0] * 101
    scores[20] = scores[40] = 0.5
    stand_in(AGE_VGG, vgg_face.vgg_face(101), tmp_path, scores=scores)
    for age in read(AgeVggAnalyzer(), CROPS, engine):
        assert isinstance(age, Estimate)
        assert age.value == pytest.approx(30, abs=1e-4)
        assert age.std == pytest.approx(10, abs=1e-4)
        assert str(age) == "30 years"


@pytest.mark.parametrize(
    "analyzer, layers, labels",
    [
        (GenderVggAnalyzer(), vgg_face.vgg_face(2, width=2, hidden=16), "woman, man"),
        (
            RaceVggAnalyzer(),
            vgg_face.vgg_face(6, width=2, hidden=16),
            "asian, indian, black, white, middle eastern, latino hispanic",
        ),
        (
            EmotionCnnAnalyzer(),
            emotion_cnn.emotion_cnn(),
            "angry, disgust, fear, happy, sad, surprise, neutral",
        ),
    ],
    ids=["gender", "race", "emotion"],
)
def test_labels_are_in_the_order_of_the_output(
    analyzer: Analyzer, layers: tuple[Layer, ...], labels: str, engine: Engine, tmp_path: Path
) -> None:
    names = labels.split(", ")
    scores = np.arange(1, len(names) + 1) / np.arange(1, len(names) + 1).sum()
    assert analyzer.weights is not None
    stand_in(analyzer.weights, layers, tmp_path, scores=scores.tolist())
    crops = np.zeros((1, *analyzer.crop.size, analyzer.crop.channels), np.uint8)
    (attribute,) = read(analyzer, crops, engine)
    assert isinstance(attribute, Classification)
    assert list(attribute.scores) == names
    assert list(attribute.scores.values()) == pytest.approx(scores.tolist(), abs=1e-6)


def test_the_same_trunk_is_one_function_and_another_is_not(engine: Engine, tmp_path: Path) -> None:
    stand_in(AGE_VGG, vgg_face.vgg_face(101), tmp_path)
    stand_in(GENDER_VGG, vgg_face.vgg_face(2), tmp_path)
    stand_in(RACE_VGG, vgg_face.vgg_face(6), tmp_path, trunk=5)
    analyzers = AgeVggAnalyzer(), GenderVggAnalyzer(), RaceVggAnalyzer()
    age, gender, race = (analyzer.load_trunk(engine) for analyzer in analyzers)
    assert age.run is gender.run
    assert age.run is not race.run
    assert (age.name, gender.name, race.name) == ("vgg-face", "vgg-face", "vgg-face-race")


@pytest.mark.parametrize("trunk", [0, 5], ids=["shared", "apart"])
def test_asked_together_analyzers_say_what_they_say_alone(trunk: int, tmp_path: Path) -> None:
    stand_in(AGE_VGG, vgg_face.vgg_face(101), tmp_path)
    stand_in(GENDER_VGG, vgg_face.vgg_face(2), tmp_path, trunk=trunk)
    names = ["age-vgg", "gender-vgg"]
    alone: dict[str, object] = {}
    for name in names:
        (face,) = Pipeline([name], detector=WholePicture(), precision="f32").analyze(PICTURE)
        alone |= face.attributes
    (face,) = Pipeline(names, detector=WholePicture(), precision="f32").analyze(PICTURE)
    assert face.attributes == alone


def test_a_trunk_works_once_for_all_its_heads() -> None:
    calls: list[int] = []

    def trunk(crops: Array) -> Features:
        calls.append(len(crops))
        return crops.mean(axis=(1, 2, 3))[:, None].astype(np.float32)

    heads = [Mean("one", trunk), Mean("two", trunk), Mean("other", lambda crops: trunk(crops) + 1)]
    (face,) = Pipeline(heads, detector=WholePicture()).analyze(np.full((8, 8, 3), 7, np.uint8))
    assert calls == [1, 1]
    assert face.attributes == {
        "one": Estimate(7.0, "levels"),
        "two": Estimate(7.0, "levels"),
        "other": Estimate(8.0, "levels"),
    }


def test_large_crops_go_through_a_trunk_four_at_a_time() -> None:
    calls: list[int] = []

    def trunk(crops: Array) -> Features:
        calls.append(len(crops))
        return crops[:, 0, 0].astype(np.float32)

    head = Mean("level", trunk)
    head.crop = CropSpec(size=(224, 224), mode="box")
    pictures = [np.full((8, 8, 3), level, np.uint8) for level in range(5)]
    results = list(Pipeline([head], detector=WholePicture()).analyze_each(pictures))
    assert calls == [4, 1]
    assert [result.faces[0].attributes["level"] for result in results] == [
        Estimate(float(level), "levels") for level in range(5)
    ]


def test_the_second_start_does_not_open_the_file(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(GENDER_VGG, vgg_face.vgg_face(2), tmp_path)
    expected = read(GenderVggAnalyzer(), CROPS, engine)  # what was compiled is forgotten
    monkeypatch.delattr(Hdf5Weights, "_opened")
    assert read(GenderVggAnalyzer(), CROPS, engine) == expected


def test_a_head_of_another_package_shares_the_published_trunk(
    engine: Engine, tmp_path: Path
) -> None:
    stand_in(AGE_VGG, vgg_face.vgg_face(101), tmp_path)
    network, _ = trunk_and_head(AGE_VGG, 101)
    trunk = engine.compile(network)
    assert AgeVggAnalyzer().load_trunk(engine).run is trunk
    assert len(read(Mean("smile", trunk), CROPS, engine)) == 2


def test_missing_weights_are_told_and_harm_nobody_else() -> None:
    with pytest.raises(WeightsError, match=r"gender_model_weights\.h5 \(537 MB\) is missing"):
        Pipeline(["gender-vgg"], detector=WholePicture()).load()
    Pipeline(["emotion"], detector=WholePicture()).load()


def test_weights_of_another_graph_are_refused_with_layer_and_shapes(
    engine: Engine, tmp_path: Path
) -> None:
    stand_in(GENDER_VGG, vgg_face.vgg_face(3), tmp_path)
    with pytest.raises(WeightsError, match=r"layer 'predictions' needs weights of \(1, 1, 16, 2\)"):
        GenderVggAnalyzer().load(engine)


def test_faces_are_shown_as_by_deepface_or_as_in_training() -> None:
    assert AgeVggAnalyzer().crop == CropSpec((224, 224), color="bgr", mode="letterbox")
    as_trained = AgeVggAnalyzer(color="rgb", fit="stretch")
    assert as_trained.crop == CropSpec((224, 224), color="rgb", mode="stretch")
    with pytest.raises(OptionError, match="color is 'gray'; it can be 'bgr' or 'rgb'"):
        AgeVggAnalyzer(color="gray")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="fit is 'box'; it can be 'letterbox' or 'stretch'"):
        AgeVggAnalyzer(fit="box")  # type: ignore[arg-type]


def test_the_catalogue_names_files_that_belong_to_its_analyzers() -> None:
    files = {name: analyzers.get(name).weights for name in analyzers}
    assert files["emotion-cnn"] is EMOTION_CNN
    assert files["age-vgg"] is AGE_VGG
    assert files["gender-vgg"] is GENDER_VGG
    assert files["race-vgg"] is RACE_VGG
    assert files["emotion"] is None


class WholePicture(Detector):
    """Takes the whole picture for a face."""

    def find(self, image: BGRImage, search: Search) -> list[Detection]:
        return [Detection((0.0, 0.0, float(image.shape[1]), float(image.shape[0])), 1.0)]


class Mean(HeadAnalyzer):
    """Gives the mean of the features under a name."""

    output = Unit("levels")
    crop = CropSpec(size=(8, 8), mode="box")

    def __init__(self, name: str, trunk: Callable[[Array], Features]) -> None:
        self.attribute = name  # type: ignore[misc]
        self._trunk = trunk

    def load_trunk(self, engine: Engine) -> Trunk:
        return Trunk("mean", self._trunk)

    def load_head(self, engine: Engine) -> Callable[[Features], list[Estimate]]:
        return lambda features: [Estimate(float(row.mean()), "levels") for row in features]


def read(analyzer: Analyzer, crops: Crops, engine: Engine) -> Sequence[Attribute]:
    return analyzer.load(engine)(CropBatch(crops, [CropGeometry()] * len(crops)))
