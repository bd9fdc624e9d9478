"""Checks that a plugin keeps the rules of the plugin API, and stand-ins for tests.

For authors of plugins: one line of a test module checks a whole plugin,
``test_smile = contract_test(SmileAnalyzer)``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from faceattr.analyzers.base import Analyzer
from faceattr.arguments import explained
from faceattr.detectors.base import Detector
from faceattr.testing.analyzers import ANALYZER_CHECKS, AnalyzerSubject, check_analyzer
from faceattr.testing.detectors import DETECTOR_CHECKS, DetectorSubject, check_detector
from faceattr.testing.stand_ins import FixedDetector

__all__ = ["FixedDetector", "check_analyzer", "check_detector", "contract_test"]


@explained
def contract_test(plugin: Callable[[], Analyzer | Detector]) -> Any:
    """Return a pytest test of a plugin, with one case for each rule.

    Args:
        plugin: Class of the plugin, or a function that returns a new analyzer or detector.
    """
    import pytest

    made = plugin()
    rules: dict[str, Callable[[], None]]
    if isinstance(made, Detector):
        detector = DetectorSubject(made)
        rules = {check.__name__: partial(check, detector) for check in DETECTOR_CHECKS}
    else:
        analyzer = AnalyzerSubject(made)
        rules = {check.__name__: partial(check, analyzer) for check in ANALYZER_CHECKS}

    def test(rule: str) -> None:
        rules[rule]()

    return pytest.mark.parametrize("rule", rules)(test)
