"""The labels of the built-in attributes, and groups that keep or merge some of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from faceattr.errors import OptionError, describe_unknown
from faceattr.types import Classification

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
GENDERS = ("woman", "man")
RACES = ("asian", "indian", "black", "white", "middle eastern", "latino hispanic")
NUM_AGES = 101  # 0 to 100 years

OTHER = "other"  # merges the labels that are in no group

LabelChoice: TypeAlias = str | Sequence[str] | Mapping[str, str | Sequence[str]]
"""Labels to keep, or a mapping from new label to the labels it merges.

As text, with commas between them: ``"happy,sad,neutral"``, or
``"positive=happy+surprise,negative=angry+sad,neutral"``.
"""

Groups: TypeAlias = Mapping[str, tuple[str, ...]]
"""New label to the model's labels that it merges; each of these is in at most one group."""


def to_groups(labels: LabelChoice) -> Groups:
    """Return each new label with the labels that it merges.

    Raises:
        OptionError: There are no labels, or one of them is given twice.
    """
    try:
        if isinstance(labels, str):
            labels = dict(_parse(labels))
        elif not isinstance(labels, Mapping):
            labels = dict(one if isinstance(one, tuple) else (one, one) for one in labels)
        groups = {
            name: (members,) if isinstance(members, str) else tuple(members)
            for name, members in labels.items()
        }
        are_names = all(isinstance(name, str) for name in [*groups, *_members(groups)])
    except (TypeError, ValueError):
        are_names = False
    if not are_names:
        raise OptionError(
            f"labels are {labels!r:.100}; give names, or a mapping from new label to the labels "
            "that it merges"
        )
    if not groups or not all(groups.values()):
        raise OptionError("labels, or one of their groups, are empty; name at least one label")
    members = _members(groups)
    twice = next((label for label in members if members.count(label) > 1), None)
    if twice is not None:
        raise OptionError(f"label {twice!r} is given twice; a label can be in one group only")
    return groups


def _parse(text: str) -> Iterator[tuple[str, list[str]]]:
    for part in filter(None, map(str.strip, text.split(","))):
        name, _, members = part.partition("=")
        yield name.strip(), [label.strip() for label in (members or name).split("+")]


def narrow_labels(names: Sequence[str], groups: Groups) -> tuple[str, ...]:
    """Return the labels of a classification after grouping; unchanged if it lacks one of them.

    Labels that are in no group are merged into the label ``other``.
    """
    members = _members(groups)
    if not members or not set(members) <= set(names):
        return tuple(names)
    left_out = set(names) - set(members)
    return tuple(dict.fromkeys([*groups, *([OTHER] if left_out else [])]))


def narrow(classification: Classification, groups: Groups) -> Classification:
    """Return a classification with one label per group, its probabilities summed.

    Labels that are in no group are merged into the label ``other``, so that a face which fits no
    group is not forced into one. A classification that lacks one of the labels stays as it is.
    """
    scores = classification.scores
    members = _members(groups)
    if not members or not set(members) <= scores.keys():
        return classification
    sums = {name: sum(scores[label] for label in labels) for name, labels in groups.items()}
    left_out = [score for label, score in scores.items() if label not in members]
    if left_out:
        sums[OTHER] = sums.get(OTHER, 0.0) + sum(left_out)
    return Classification(sums)


def check_groups(groups: Groups, known: Mapping[str, Sequence[str]]) -> None:
    """Refuse groups that fit none of the attributes.

    Args:
        groups: The groups that are asked for.
        known: The labels of each classification that will be read, by attribute name.

    Raises:
        OptionError: No attribute has all the labels; the message suggests the nearest.
    """
    members = _members(groups)
    if not members or any(set(members) <= set(labels) for labels in known.values()):
        return
    if not known:
        raise OptionError("labels are for classifications, and none is among the actions")
    everything = [label for labels in known.values() for label in labels]
    for label in members:
        if label not in everything:
            raise OptionError(describe_unknown("label", label, everything))
    has = "; ".join(f"{name} has {', '.join(labels)}" for name, labels in known.items())
    raise OptionError(f"no attribute has all of {', '.join(members)}: {has}")


def _members(groups: Groups) -> list[str]:
    return [label for group in groups.values() for label in group]
