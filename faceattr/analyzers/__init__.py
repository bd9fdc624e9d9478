"""What reads attributes off faces."""

from __future__ import annotations

from faceattr.analyzers.base import Analyzer
from faceattr.registry import Registry

analyzers: Registry[Analyzer] = Registry(
    kind="analyzer",
    group="faceattr.analyzers",
    builtin={"emotion": "faceattr.analyzers.emotion:EmotionAnalyzer"},
)
