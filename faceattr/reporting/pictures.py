"""The report on pictures: counts, distributions, a contact sheet of faces, a table."""

from __future__ import annotations

import os
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from faceattr import __version__
from faceattr.alignment import CropSpec, crop_faces
from faceattr.arguments import explained
from faceattr.errors import OptionError
from faceattr.forms import Labels, Output, Unit
from faceattr.outputs import Outputs
from faceattr.reporting import charts
from faceattr.reporting.markup import Html, element, link_to
from faceattr.reporting.page import (
    THUMBNAIL,
    Spool,
    claim,
    figures,
    folder_of,
    plural,
    privacy,
    section,
    settings_list,
    thumbnail,
    warning,
    write_page,
)
from faceattr.results import ImageResult
from faceattr.types import UNCERTAIN, BGRImage, Classification, Estimate, Face

if TYPE_CHECKING:
    from typing_extensions import Self

MOST_THUMBNAILS = 2000  # some 8 MB
MOST_ROWS = 10_000  # of the table, some 5 MB
ENOUGH = 5  # faces, of which the middle half says something
MOST_NAMES = 1000  # of pictures without a face, and of those that failed
THUMBNAIL_CROP = CropSpec(size=(THUMBNAIL, THUMBNAIL), color="bgr", mode="box", margin=0.25)


class Order(NamedTuple):
    """A way to sort the contact sheet.

    Attributes:
        group: The attribute that it belongs to, or nothing.
        words: How the choice reads.
        key: Which of the numbers of `PictureReport._keys` it sorts by.
        direction: ``-`` if large numbers come first.
    """

    group: str
    words: str
    key: int
    direction: str = ""


@explained
class PictureReport:
    """Collects the faces of pictures, and writes the page when it is closed.

    Thumbnails and rows go to temporary files, so that memory stays flat; the page is written in
    full or not at all. As a context manager it writes a page of what was done also after an error
    or Ctrl-C, and the page says that it is incomplete.

    Args:
        path: File to write; its name ends in ``.html``.
        attributes: Form of each attribute, as in `Pipeline.outputs`.
        settings: How the results came about, as in `Pipeline.settings`.
        thumbnails: Show at most this many faces on the contact sheet; 0 for a page without faces.
        total: Number of pictures to come, if it is known.
        outputs: The files of the run; by default, one that replaces a file of that name.

    Attributes:
        num_pictures: Pictures so far.
        num_faces: Faces so far.
        num_empty: Pictures without a face so far.
        num_failed: Pictures that could not be read so far.

    Raises:
        OptionError: ``thumbnails`` is negative.
        SinkError: The file cannot be written, or its name has another ending.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        attributes: Mapping[str, Output],
        *,
        settings: Mapping[str, object] | None = None,
        thumbnails: int = MOST_THUMBNAILS,
        total: int | None = None,
        outputs: Outputs | None = None,
    ) -> None:
        if thumbnails < 0:
            raise OptionError(f"thumbnails is {thumbnails}; it must be at least 0")
        self._output = claim(path, outputs)
        self._folder = folder_of(self._output)
        self._attributes = {
            name: form for name, form in attributes.items() if isinstance(form, Labels | Unit)
        }
        self._settings = dict(settings or {})
        self._most_thumbnails = thumbnails
        self._total = total
        self._stopped = False
        self._is_closed = False
        self._sheet, self._rows = Spool(), Spool()
        self._empty, self._failed = Spool(), Spool()
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in self._attributes}
        self._values = {name: array("d") for name in self._attributes}
        self.num_pictures = self.num_faces = self.num_empty = self.num_failed = 0

    def add(self, result: ImageResult, source: object = None) -> None:
        """Take the result of a picture.

        Args:
            result: Its image, if it has one, gives the thumbnails.
            source: Path or URL for the link, where it is not ``result.source``.

        Raises:
            SinkError: There is no room for temporary files.
        """
        self.num_pictures += 1
        name = _Name(
            result.source, link_to(result.source if source is None else source, self._folder)
        )
        if result.error is not None:
            self.num_failed += 1
            if self._failed.count < MOST_NAMES:
                self._failed.add(element("li", str(result.error)))
            return
        if not result.faces:
            self.num_empty += 1
            if self._empty.count < MOST_NAMES:
                self._empty.add(element("li", name.html()))
            return
        room = self._most_thumbnails - self._sheet.count
        crops: Sequence[BGRImage] = ()
        if result.image is not None and room > 0:
            crops = list(crop_faces(result.image, result.faces[:room], THUMBNAIL_CROP))
        for index, face in enumerate(result.faces):
            self._count(face)
            if self._rows.count < MOST_ROWS:
                self._rows.add(self._row(face, index, name))
            if index < len(crops):
                self._sheet.add(self._tile(face, index, name, crops[index]))
            self.num_faces += 1

    def close(self) -> None:
        """Write the page, if any picture was taken; may be called again.

        Raises:
            SinkError: It cannot be written.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self.num_pictures:
                title = (
                    f"{plural(self.num_faces, 'face')} in {plural(self.num_pictures, 'picture')}"
                )
                write_page(self._output, title=title, body=self._body(title))
        finally:
            for spool in (self._sheet, self._rows, self._empty, self._failed):
                spool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped = any(error)
        self.close()

    # Collecting

    def _count(self, face: Face) -> None:
        for name in self._attributes:
            attribute = face.attributes.get(name)
            if isinstance(attribute, Classification):
                label = UNCERTAIN if name in face.uncertain else attribute.label
                self._counts[name][label] += 1
            elif isinstance(attribute, Estimate):
                self._values[name].append(float(attribute.value))

    def _tile(self, face: Face, index: int, name: _Name, crop: BGRImage) -> Html:
        texts = [face.text(one) for one in self._attributes if one in face.attributes]
        said = f"{', '.join(texts) or 'a face'}; face {index + 1} of {name.short}"
        picture = thumbnail(crop, said)
        first = element("b", self._dot(face), *texts[:1])
        rest = " · ".join(re.sub(r" \d+%$", "", text) for text in texts[1:])
        return element(
            "li",
            element("a", picture, href=name.link, title=name.full) if name.link else picture,
            element("p", first, rest),
            data_keys=" ".join(self._keys(face)),
        )

    def _dot(self, face: Face) -> Html:
        """Return a dot in the color of the first attribute, if that has labels."""
        name, form = next(iter(self._attributes.items()), ("", None))
        attribute = face.attributes.get(name)
        if not (isinstance(attribute, Classification) and isinstance(form, Labels)):
            return Html("")
        label = UNCERTAIN if name in face.uncertain else attribute.label
        return charts.dot(charts.label_color(label, form.names))

    def _keys(self, face: Face) -> Iterator[str]:
        """Yield the numbers by which a face is sorted; `_orders` says which is which."""
        x1, y1, x2, y2 = face.bbox
        yield f"{self.num_faces}"
        yield f"{max(x2 - x1, y2 - y1):.0f}"
        yield f"{face.confidence:.4f}"
        for name, form in self._attributes.items():
            attribute = face.attributes.get(name)
            if isinstance(form, Labels):
                scores = attribute.scores if isinstance(attribute, Classification) else {}
                yield from (f"{scores.get(label, 0.0):.4f}" for label in form.names)
            else:
                yield f"{attribute.value:.2f}" if isinstance(attribute, Estimate) else "-1"

    def _orders(self) -> Iterator[Order]:
        """Yield the ways to sort the contact sheet."""
        yield Order("", "as the pictures come", 0)
        yield Order("", "largest first", 1, "-")
        yield Order("", "clearest detections first", 2, "-")
        keys = count(3)
        for name, form in self._attributes.items():
            if isinstance(form, Labels):
                for label in form.names:
                    yield Order(name, f"most {label} first", next(keys), "-")
            else:
                key = next(keys)
                yield Order(name, f"lowest {name} first", key)
                yield Order(name, f"highest {name} first", key, "-")

    def _row(self, face: Face, index: int, name: _Name) -> Html:
        x1, y1, x2, y2 = face.bbox
        cells = [
            element("td", name.html()),
            _number(f"{index + 1}", index + 1),
            _number(f"{x2 - x1:.0f}×{y2 - y1:.0f}", (x2 - x1) * (y2 - y1)),
            _number(f"{face.confidence:.0%}", face.confidence),
        ]
        for attribute in self._attributes:
            read = face.attributes.get(attribute)
            if isinstance(read, Estimate):
                std = "" if read.std is None else f" ± {read.std:.0f}"
                cells.append(_number(f"{read.value:.0f}{std} {read.unit}", read.value))
            else:
                cells.append(element("td", face.text(attribute) if read else ""))
        return element("tr", *cells)

    # Writing

    def _body(self, title: str) -> Iterator[Html]:
        yield Html("<main>")
        yield element("h1", title)
        yield element("p", self._lead(), class_="lead")
        if self._stopped:
            left = f" of {self._total:,}" if self._total else ""
            yield warning(
                f"This report is incomplete: the run was stopped after {self.num_pictures:,}{left} "
                "pictures."
            )
        yield figures(
            {
                "picture" if self.num_pictures == 1 else "pictures": f"{self.num_pictures:,}",
                "face" if self.num_faces == 1 else "faces": f"{self.num_faces:,}",
                "without a face": f"{self.num_empty:,}",
                "failed": f"{self.num_failed:,}",
            }
        )
        if self.num_faces and self._attributes:
            drawn = [self._chart(name) for name in self._attributes]
            yield section("Distributions", element("div", *drawn, class_="charts"))
        yield from self._sheet_section()
        yield from self._tables()
        yield settings_list(self._settings) if self._settings else Html("")
        yield Html("</main>")
        yield privacy(has_faces=self._sheet.count > 0)

    def _lead(self) -> str:
        *names, last = list(self._attributes) or ["faces"]
        read = f"{', '.join(names)} and {last}" if names else last
        verb = "found" if not self._attributes else "read off each face"
        return f"{read[0].upper()}{read[1:]}, as faceattr {__version__} {verb}."

    def _chart(self, name: str) -> Html:
        form = self._attributes[name]
        if isinstance(form, Labels):
            counts = {label: self._counts[name][label] for label in form.names}
            if uncertain := self._counts[name][UNCERTAIN]:
                counts[UNCERTAIN] = uncertain
            note, drawn = "faces, and their share", charts.bars(counts, name)
        else:
            values = np.array(self._values[name])
            low, middle, high = np.percentile(values, (25, 50, 75)) if len(values) else (0, 0, 0)
            note = f"median {middle:.0f} {form.name}"
            if len(values) >= ENOUGH:
                note += f"; half of the faces from {low:.0f} to {high:.0f}"
            drawn = charts.histogram(values, name, form.name) if len(values) else Html("")
        title = element("h3", f"{name[0].upper()}{name[1:]}")
        return element("figure", element("figcaption", title, element("p", note)), drawn)

    def _sheet_section(self) -> Iterator[Html]:
        if not self._sheet.count:
            return
        note = "Each face leads to its picture."
        if self._sheet.count < self.num_faces:
            note = (
                f"The sheet shows the first {self._sheet.count:,} of {self.num_faces:,} faces; "
                "counts and distributions are of all of them."
            )
        yield Html('<section id="faces">')
        yield element("header", element("h2", "Faces"), element("p", note))
        yield element(
            "div",
            element("label", "Sort ", element("select", *self._choices())),
            class_="tools",
            data_sheet="sheet",
            hidden=True,
        )
        yield Html('<ul class="sheet" id="sheet">')
        yield from self._sheet.pieces()
        yield Html("</ul></section>")

    def _choices(self) -> Iterator[Html]:
        for group, orders in groupby(self._orders(), key=lambda order: order.group):
            options = [
                element("option", order.words, value=f"{order.key}{order.direction}")
                for order in orders
            ]
            yield from [element("optgroup", *options, label=group)] if group else options

    def _tables(self) -> Iterator[Html]:
        numbers = [name for name, form in self._attributes.items() if isinstance(form, Unit)]
        if self._rows.count:
            heads = ["picture", "face", "size", "confidence", *self._attributes]
            right = {"face", "size", "confidence", *numbers}
            cells = [
                element("th", name, scope="col", class_="number" if name in right else None)
                for name in heads
            ]
            note = "size in pixels of the picture; confidence that it is a face"
            if self._rows.count < self.num_faces:
                note = (
                    f"The table has the first {self._rows.count:,} of {self.num_faces:,} faces; "
                    "faceattr analyze --csv writes all of them."
                )
            yield Html("<section>")
            yield element("header", element("h2", "Table"), element("p", note))
            yield Html(
                '<div class="scroll" tabindex="0" role="region" aria-label="Table of faces">'
            )
            yield Html(f"<table>{element('thead', element('tr', *cells))}<tbody>")
            yield from self._rows.pieces()
            yield Html("</tbody></table></div></section>")
        if self.num_empty or self.num_failed:
            yield Html("<section>")
            yield element("header", element("h2", "Pictures that gave no face"))
            yield from _name_list("could not be read", self.num_failed, self._failed)
            yield from _name_list("without a face", self.num_empty, self._empty)
            yield Html("</section>")


class _Name(NamedTuple):
    """A picture by its name.

    Attributes:
        full: Path or URL, as text.
        link: Its address for the page, or None.
    """

    full: str
    link: str | None

    @property
    def short(self) -> str:
        """The name of the file alone."""
        return self.full.rstrip("/").rpartition("/")[2] or self.full

    def html(self) -> Html:
        if self.link is None:
            return element("span", self.short, title=self.full)
        return element("a", self.short, href=self.link, title=self.full)


def _name_list(words: str, count: int, names: Spool) -> Iterator[Html]:
    if not count:
        return
    yield Html("<details>" if count > 20 else "<details open>")
    yield element("summary", f"{plural(count, 'picture')} {words}")
    yield Html("<ul>")
    yield from names.pieces()
    if count > names.count:
        yield element("li", f"and {count - names.count:,} more")
    yield Html("</ul></details>")


def _number(text: str, value: float) -> Html:
    return element("td", text, data_value=f"{value:g}", class_="number")
