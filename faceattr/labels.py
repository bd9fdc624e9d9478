"""Fewer classes: labels of a model left out, or put together under new names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from faceattr.errors import OptionError, describe_unknown
from faceattr.types import Attribute, Classification

LabelChoice: TypeAlias = str | Sequence[str] | Mapping[str, str | Sequence[str]]
"""Labels to keep, or groups of labels by their new names.

As text, labels or groups have commas between them: ``"happy,sad,neutral"``, or
``"positive=happy+surprise,negative=angry+sad,neutral"``.
"""

Groups: TypeAlias = Mapping[str, tuple[str, ...]]
"""New label to those of the model that it stands for; a model's label is in one at most."""


def to_groups(labels: LabelChoice) -> Groups:
    """Return each new label with the labels of the model that it stands for.

    Raises:
        OptionError: There are no labels, or one of them is given twice.
    """
    if isinstance(labels, str):
        labels = dict(_parse(labels))
    elif not isinstance(labels, Mapping):
        labels = dict(zip(labels, labels, strict=True))
    groups = {
        name: (members,) if isinstance(members, str) else tuple(members)
        for name, members in labels.items()
    }
    if not groups or not all(groups.values()):
        raise OptionError("labels or a group of them are empty; name at least one")
    members = _members(groups)
    twice = next((label for label in members if members.count(label) > 1), None)
    if twice is not None:
        raise OptionError(f"label {twice!r} is in two groups; it can be in one")
    return groups


def _parse(text: str) -> Iterator[tuple[str, list[str]]]:
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, members = part.partition("=")
        yield name.strip(), [label.strip() for label in (members or name).split("+")]


def check_groups(groups: Groups, attributes: Mapping[str, Attribute]) -> None:
    """Refuse groups that none of the attributes can be narrowed to.

    Args:
        groups: What is asked for.
        attributes: Attributes of any one face, by name.

    Raises:
        OptionError: No attribute has all the labels; the message suggests the nearest.
    """
    if any(_has(attribute, groups) for attribute in attributes.values()):
        return
    known = {
        name: list(attribute.scores)
        for name, attribute in attributes.items()
        if isinstance(attribute, Classification)
    }
    if not known:
        names = " and ".join(attributes) or "no action"
        raise OptionError(f"labels are for classifications, and {names} is none")
    everything = [label for labels in known.values() for label in labels]
    for label in _members(groups):
        if label not in everything:
            raise OptionError(describe_unknown("label", label, everything))
    has = "; ".join(f"{name} has {', '.join(labels)}" for name, labels in known.items())
    raise OptionError(f"no attribute has all of {', '.join(_members(groups))}: {has}")


def narrow(attribute: Attribute, groups: Groups, *, min_confidence: float = 0.0) -> Attribute:
    """Return a classification with fewer labels; what does not have them stays as it is.

    Args:
        attribute: What was read off a face.
        groups: Labels to have instead; none of them for all that there are.
        min_confidence: Confidence below which no label is given, in [0, 1].
    """
    if not isinstance(attribute, Classification):
        return attribute
    if groups and _has(attribute, groups):
        attribute = replace(attribute, scores=regroup(attribute.scores, groups))
    return replace(attribute, min_confidence=max(min_confidence, attribute.min_confidence))


def regroup(scores: Mapping[str, float], groups: Groups) -> dict[str, float]:
    """Return the probability of each group, given that one of them is true.

    Where all that is left was impossible, each group is as probable as the others.
    """
    sums = {name: sum(scores[label] for label in labels) for name, labels in groups.items()}
    total = sum(sums.values())
    return {name: part / total if total > 0 else 1 / len(sums) for name, part in sums.items()}


def _has(attribute: Attribute, groups: Groups) -> bool:
    return isinstance(attribute, Classification) and set(_members(groups)) <= set(attribute.scores)


def _members(groups: Groups) -> list[str]:
    return [label for group in groups.values() for label in group]
