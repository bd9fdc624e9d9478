"""The analyzers, which read attributes off faces, by name."""

from __future__ import annotations

from faceattr.analyzers.base import Analyzer
from faceattr.registry import Registry

analyzers: Registry[Analyzer] = Registry(
    kind="analyzer",
    group="faceattr.analyzers",
    builtin={
        "age": "faceattr.analyzers.age_gender:AgeAnalyzer",
        "age-open": "faceattr.analyzers.age_gender_open:AgeOpenAnalyzer",
        "age-vgg": "faceattr.analyzers.vgg_face:AgeVggAnalyzer",
        "emotion": "faceattr.analyzers.emotion:EmotionAnalyzer",
        "emotion-cnn": "faceattr.analyzers.emotion_cnn:EmotionCnnAnalyzer",
        "gender": "faceattr.analyzers.age_gender:GenderAnalyzer",
        "gender-open": "faceattr.analyzers.age_gender_open:GenderOpenAnalyzer",
        "gender-vgg": "faceattr.analyzers.vgg_face:GenderVggAnalyzer",
        "identity": "faceattr.analyzers.identity:IdentityAnalyzer",
        "identity-dlib": "faceattr.analyzers.identity:IdentityDlibAnalyzer",
        "race-vgg": "faceattr.analyzers.vgg_face:RaceVggAnalyzer",
    },
    base=Analyzer,
    files={".faceattr": "faceattr.analyzers.trained:trained_analyzer"},
)
