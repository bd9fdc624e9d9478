"""Where labels go: beside their faces, off other labels and other faces, inside the picture."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Boxes: TypeAlias = NDArray[np.int64]
"""(N, 4) left, top, right and bottom in pixels; right and bottom are the first beyond a box."""

Rects: TypeAlias = NDArray[np.int64]
"""(4, …) the same, column by column, with which NumPy is quicker."""

Sizes: TypeAlias = NDArray[np.int64]
"""(L, N, 2) width and height in pixels of N labels in L forms, the fullest form first."""

PATIENCE = 15  # frames for which there must be room before a label becomes fuller again
MEMORY = 30  # frames for which the place of a face that is not seen is remembered
INSIDE_HEIGHT = 0.25  # of its own face that a label may cover where there is no room beside it,
INSIDE_WIDTH = 0.9  # and as wide as that
RANK_COST = 0.02  # of a less usual slot, where 1 is to take a neighbor's last place


class Placement(NamedTuple):
    """Where a label goes.

    Attributes:
        form: Index of its form, 0 for the fullest.
        slot: Index of its place relative to the face.
        rect: Left, top, right and bottom in pixels.
    """

    form: int
    slot: int
    rect: tuple[int, int, int, int]

    @classmethod
    def at(cls, form: int, slot: int, rect: NDArray[np.int64]) -> Placement:
        """Return the placement for (4,) left, top, right and bottom."""
        left, top, right, bottom = rect.tolist()
        return cls(form, slot, (left, top, right, bottom))


def place_labels(
    boxes: Boxes,
    sizes: Sizes,
    canvas: tuple[int, int],
    *,
    gap: int = 2,
    obstacles: Boxes | None = None,
) -> list[Placement | None]:
    """Return where each label goes, None if there is no room for any of its forms.

    No label overlaps another one, nor the box of another face, and all lie inside the canvas. All
    labels take the fullest form in which there is room for everyone; then each takes a fuller one
    if it can.

    Args:
        boxes: (N, 4) boxes of the faces that have labels.
        sizes: Sizes of the labels in each form.
        canvas: Width and height in pixels.
        gap: Pixels between a label and its box, and at least between it and other boxes.
        obstacles: (M, 4) boxes of faces without labels.
    """
    room = _Room(boxes, sizes, canvas, gap, obstacles)
    forms = [0, *(1 + np.flatnonzero((sizes[1:] != sizes[:-1]).any(axis=(1, 2)))).tolist()]
    for form in forms:
        chosen = _assign(room, form, [None] * len(boxes), all_or_none=form < forms[-1])
        if all(chosen):
            break
    for fuller in reversed(forms[: forms.index(form)]):
        chosen = _assign(room, fuller, chosen)
    return chosen


class SteadyLayout:
    """Places the labels of a stream, so that they stay where they are while there is room.

    A label that loses its place moves at once; it becomes fuller only after there was room for
    that in a number of frames.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Kept] = {}

    def place(
        self,
        keys: Sequence[Hashable],
        boxes: Boxes,
        sizes: Sizes,
        canvas: tuple[int, int],
        *,
        gap: int = 2,
        obstacles: Boxes | None = None,
    ) -> list[Placement | None]:
        """Return where each label goes; as `place_labels`, but like in the frame before.

        Args:
            keys: Identity of each face over time, such as its track.
            boxes: (N, 4) boxes of the faces that have labels.
            sizes: Sizes of the labels in each form.
            canvas: Width and height in pixels.
            gap: Pixels between a label and its box, and at least between it and other boxes.
            obstacles: (M, 4) boxes of faces without labels.
        """
        num_forms = len(sizes)
        room = _Room(boxes, sizes, canvas, gap, obstacles)
        chosen: list[Placement | None] = [None] * len(keys)
        before = [self._kept.get(key) for key in keys]
        for index, kept in enumerate(before):
            if kept is not None and kept.form < num_forms:
                chosen[index] = room.find(kept.form, index, chosen, slots=(kept.slot,))
        for one in self._kept.values():
            one.num_missed += 1
        for index, kept in enumerate(before):
            least = 0 if kept is None else kept.form
            if chosen[index] is None:
                chosen[index] = room.find_fullest(range(least, num_forms), index, chosen)
            fuller = room.find_fullest(range(least), index, chosen)
            num_roomy = kept.num_roomy + 1 if kept and fuller else 0
            if fuller and num_roomy >= PATIENCE:
                chosen[index], num_roomy = fuller, 0
            now = chosen[index]
            self._kept[keys[index]] = _Kept(*(now[:2] if now else (num_forms, 0)), num_roomy)
        self._kept = {key: one for key, one in self._kept.items() if one.num_missed <= MEMORY}
        return chosen

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept


@dataclass(slots=True)
class _Kept:
    """What is remembered of a label.

    Attributes:
        form: Its form; one more than there are if it had no room.
        slot: Its place relative to the face.
        num_roomy: Frames in a row in which there was room for a fuller form.
        num_missed: Frames since the face was last seen.
    """

    form: int
    slot: int
    num_roomy: int
    num_missed: int = 0


def _slots() -> Iterator[tuple[tuple[float, ...], tuple[float, ...], bool]]:
    """Yield how the left edge comes from (left, right, width, gap), the top edge in the same way.

    The last value says whether the label lies inside its face. The usual places come first.
    """
    below, above = (0, 1, 0, 1), (1, 0, -1, -1)  # also right and left
    start, end = (1, 0, 0, 1), (0, 1, -1, -1)  # inside
    aligned = {share: (1 - share, share, -share, 0) for share in (0, 0.25, 0.5, 0.75, 1)}
    yield from ((aligned[share], below, False) for share in (0, 0.5, 1))
    yield from ((aligned[share], above, False) for share in (0, 0.5, 1))
    yield from ((below, aligned[share], False) for share in (0, 0.5, 1))
    yield from ((above, aligned[share], False) for share in (0, 0.5, 1))
    yield from ((aligned[share], side, False) for side in (below, above) for share in (0.25, 0.75))
    yield from ((x, y, True) for y in (end, start) for x in (start, end))


TO_LEFT, TO_TOP, INSIDE = map(np.array, zip(*_slots(), strict=True))
NUM_SLOTS = len(INSIDE)


class _Room:
    """The slots of every label in every form, and which of them are free of other faces."""

    def __init__(
        self,
        boxes: Boxes,
        sizes: Sizes,
        canvas: tuple[int, int],
        gap: int,
        obstacles: Boxes | None,
    ) -> None:
        limits = np.array([*canvas, *canvas])
        self._boxes: Rects = np.clip(boxes, 0, limits).T
        self._sizes = sizes
        self._canvas = canvas
        self._gap = gap
        everyone = self._boxes if obstacles is None else np.hstack([self._boxes, obstacles.T])
        self._taken = everyone + np.array([[-gap], [-gap], [gap], [gap]])
        self._forms: dict[int, tuple[Rects, NDArray[np.bool_]]] = {}

    def slots(self, form: int) -> tuple[Rects, NDArray[np.bool_]]:
        """Return (4, N, S) slots, and (N, S) whether each is free of faces and in the canvas."""
        if form not in self._forms:
            rects = self._locate(self._sizes[form])
            self._forms[form] = rects, self._is_free(rects, self._sizes[form])
        return self._forms[form]

    def find(
        self,
        form: int,
        index: int,
        chosen: Sequence[Placement | None],
        *,
        slots: Sequence[int] = range(NUM_SLOTS),
    ) -> Placement | None:
        """Return the first of these slots that is free of faces and of the other labels."""
        rects, free = self.slots(form)
        for slot in slots:
            if free[index, slot]:
                place = Placement.at(form, slot, rects[:, index, slot])
                if not any(
                    one is not None and position != index and _collide(place.rect, one.rect)
                    for position, one in enumerate(chosen)
                ):
                    return place
        return None

    def find_fullest(
        self, forms: Sequence[int], index: int, chosen: Sequence[Placement | None]
    ) -> Placement | None:
        """Return the first of these forms for which there is room, in its usual slot."""
        places = (self.find(form, index, chosen) for form in forms)
        return next(filter(None, places), None)

    def _locate(self, sizes: NDArray[np.int64]) -> Rects:
        """Return (4, N, S) slots, moved into the canvas where they are not too large for it."""
        starts = []
        for axis, weights in enumerate((TO_LEFT, TO_TOP)):
            low, high, length = self._boxes[axis], self._boxes[axis + 2], sizes[:, axis]
            known = np.stack([low, high, length, np.full_like(low, self._gap)], axis=1)
            start = np.rint(known @ weights.T).astype(np.int64)
            highest = np.maximum(self._canvas[axis] - length, 0)
            starts.append(np.clip(start, 0, highest[:, np.newaxis]))
        left, top = starts
        width, height = sizes.T[:, :, np.newaxis]
        return np.stack([left, top, left + width, top + height])

    def _is_free(self, rects: Rects, sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
        hits = _overlap(rects[..., np.newaxis], self._taken[:, np.newaxis, np.newaxis])
        own = np.arange(len(sizes))
        hits[own, :, own] = False
        is_beside = ~_overlap(rects, self._boxes[:, :, np.newaxis])
        shares = sizes / np.maximum(self._boxes[2:] - self._boxes[:2], 1).T
        covers_little = (shares <= (INSIDE_WIDTH, INSIDE_HEIGHT)).all(axis=1)
        return np.asarray(
            ~hits.any(axis=2)
            & (rects[2] <= self._canvas[0])
            & (rects[3] <= self._canvas[1])
            & np.where(INSIDE, covers_little[:, np.newaxis], is_beside)
        )


def _assign(
    room: _Room,
    form: int,
    chosen: Sequence[Placement | None],
    *,
    all_or_none: bool = False,
) -> list[Placement | None]:
    """Give every label for which there is room a place in this form; the others keep theirs.

    The label with the fewest free slots chooses first, and takes the slot that costs the others
    least.

    Args:
        room: The slots.
        form: The form of the labels.
        chosen: Where the labels are so far.
        all_or_none: Stop as soon as there is no room for a label.
    """
    rects, is_free = room.slots(form)
    chosen = list(chosen)
    blockers = np.zeros(is_free.shape, np.int64)  # number of labels that cover each slot
    for index, place in enumerate(chosen):
        if place is not None:
            blockers += _blocked(rects, place, index)
    waiting = np.ones(len(chosen), np.bool_)
    while waiting.any():
        free = is_free & (blockers == 0) & waiting[:, np.newaxis]
        counts = free.sum(axis=1)
        if all_or_none and (counts[waiting] == 0).any():
            break
        index = int(np.where(counts, counts, NUM_SLOTS + 1).argmin())
        if not counts[index]:
            break
        slot = _cheapest_slot(index, rects, free, counts)
        waiting[index] = False
        before, after = chosen[index], Placement.at(form, slot, rects[:, index, slot])
        if before is not None:
            blockers -= _blocked(rects, before, index)
        blockers += _blocked(rects, after, index)
        chosen[index] = after
    return chosen


def _cheapest_slot(
    index: int, rects: Rects, free: NDArray[np.bool_], counts: NDArray[np.int64]
) -> int:
    """Return the free slot of a label that takes the least from the others.

    To take a slot from a label costs its share among the free slots of that label.
    """
    slots = np.flatnonzero(free[index])
    own = rects[:, index, slots]
    reach = np.array([*own[:2].min(axis=1), *own[2:].max(axis=1)])
    others = free & _overlap(rects, reach)
    others[index] = False
    rows, columns = others.nonzero()
    lost = _overlap(own[:, :, np.newaxis], rects[:, np.newaxis, rows, columns]) @ (1 / counts[rows])
    return int(slots[(lost + RANK_COST * slots).argmin()])


def _blocked(rects: Rects, place: Placement, index: int) -> NDArray[np.bool_]:
    """Return (N, S) which slots a label takes from the others."""
    blocked = _overlap(rects, place.rect)
    blocked[index] = False
    return blocked


def _overlap(one: Rects | Sequence[int], other: Rects | Sequence[int]) -> NDArray[np.bool_]:
    left, top, right, bottom = one
    other_left, other_top, other_right, other_bottom = other
    return np.asarray(
        (left < other_right) & (other_left < right) & (top < other_bottom) & (other_top < bottom)
    )


def _collide(one: Sequence[int], other: Sequence[int]) -> bool:
    """Return whether two rectangles overlap; quicker than NumPy for a single pair."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
