"""How every figure looks, and how it gets into the page and into files.

In the page, colours become the page's CSS variables and text stays text, so that a figure follows light and dark;
files carry their fonts with them (SVG as outlines, PDF as TrueType).
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from cbtrun.plugin import write_lines_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, MUTED, RULE, PAPER = "#1b2226", "#5a656c", "#d9dedf", "#fefefe"
# Okabe & Ito 2008, ordered so that neighbours differ for every kind of colour vision; yellow is left out (no contrast).
GROUP_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
GROUP_MARKERS = ("o", "s", "^", "D", "v", "P")
WIDE, NARROW = 760, 350
"""Widths in CSS pixels; a figure is drawn at 72 dots an inch, so that a point is a pixel."""

_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper"}
_VARIABLES |= {colour: f"--group-{at}" for at, colour in enumerate(GROUP_COLOURS, start=1)}

Draw = Callable[[int], "Figure"]
"""Draws a figure at a width in pixels."""


@dataclass(frozen=True)
class Plate:
    """One figure of the report."""

    name: str
    """File name without its ending; also its anchor in the page."""
    title: str
    caption: str
    draw: Draw


def group_colour(at: int) -> str:
    """Colour of the group at a position, from 0."""
    return GROUP_COLOURS[at % len(GROUP_COLOURS)]


def group_marker(at: int) -> str:
    """Marker of the group at a position, from 0: shape tells groups apart where colour cannot."""
    return GROUP_MARKERS[at % len(GROUP_MARKERS)]


def page_svg(plate: Plate, width: int) -> str:
    """The figure as SVG markup for the page, at a width in pixels; its ids are its own."""
    with _styled(fonttype="none"):
        svg = _bytes(plate.draw(width), "svg").decode()
    return _for_page(svg[svg.index("<svg") :], prefix=f"{plate.name}-{width}-", label=f"{plate.title}. {plate.caption}")


def drawn_once(plate: Plate) -> Plate:
    """The plate, whose figure of a width is drawn and laid out once, for the page and for all files."""
    return replace(plate, draw=lru_cache(maxsize=None)(plate.draw))


def save_figure(plate: Plate, folder: Path, formats: tuple[str, ...]) -> list[Path]:
    """Write the figure in every format; give the files."""
    plate = drawn_once(plate)
    for kind in sorted(formats, key=lambda kind: kind != "svg"):  # the only one with links comes first
        with _styled(fonttype="path"):
            figure = plate.draw(WIDE) if kind == "svg" else _without_links(plate.draw(WIDE))
            content = re.sub(rb'"#((?:sessions?|pair)=)', rb'"../report.html#\1', _bytes(figure, kind))
        write_lines_atomically(folder / f"{plate.name}.{kind}", [content])
    return [folder / f"{plate.name}.{kind}" for kind in formats]


def _without_links(figure: Figure) -> Figure:
    """The figure for a format in which a link would lead nowhere."""
    for artist in figure.findobj():
        artist.set_url(None)
    return figure


def _for_page(svg: str, prefix: str, label: str) -> str:
    """Markup with the page's colours and font, ids of its own, links that the keyboard skips, and a label."""
    from markupsafe import escape

    svg = re.sub(r'\bid="([^"]*)"', rf'id="{prefix}\1"', svg)
    svg = re.sub(r'href="#(?!sessions?=|pair=)([^"]*)"', rf'href="#{prefix}\1"', svg)
    svg = re.sub(r"url\(#([^()]*)\)", rf"url(#{prefix}\1)", svg)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.S)
    svg = re.sub(r"#[0-9a-f]{6}\b", lambda found: _variable(found[0]), svg)
    svg = re.sub(r"font: ([^;\"]*?)'[^;\"]*", r"font: \1var(--sans)", svg)
    svg = (
        svg.replace(' target="_blank"', "")
        .replace("<a xlink:href=", '<a tabindex="-1" href=')
        .replace("xlink:href=", "href=")
    )
    svg = re.sub(r'<a tabindex="-1" href="([^"]*)">(.*?)</a>', _named_link, svg, flags=re.S)
    head, rest = svg.split(">", 1)
    width = re.search(r'viewBox="0 0 ([0-9.]+) [0-9.]+"', head)
    size = f'{width[0]} style="max-width: {width[1]}px"' if width else ""
    # A group, not an image: an image has no children, and these are links.
    return f'<svg {size} role="group" aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">{rest}'


def _named_link(found: re.Match[str]) -> str:
    """A link of a figure with a name of its own where no words stand in it."""
    name = "" if "<text" in found[2] else f' aria-label="{_link_name(found[1])}"'
    return f'<a tabindex="-1" href="{found[1]}"{name}>{found[2]}</a>'


def _link_name(href: str) -> str:
    """What a link of a figure is called: a session, a pair of them, or those behind a number."""
    from markupsafe import escape

    kind, _, said = unescape(href).removeprefix("#").partition("=")
    if kind == "sessions":
        levels = {name: kept for name, kept in json.loads(unquote(said)).items() if name != "rows"}
        told = "; ".join(one if isinstance(one, str) else ", ".join(one) for one in levels.values())
        return str(escape(f"Sessions {told}".strip()))
    return str(escape(" and ".join(unquote(one) for one in said.split("|"))))


def _variable(colour: str) -> str:
    return f"var({_VARIABLES[colour]})" if colour in _VARIABLES else colour


def _bytes(figure: Figure, kind: str) -> bytes:
    """The figure's file; the same figure gives the same bytes."""
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stamp: dict[str, Any] = {
        "svg": {"Date": None, "Creator": None},
        "pdf": {"CreationDate": None},
        "png": {"Software": None},
    }
    out = BytesIO()
    _lay_out(figure)
    # savefig draws a figure once to lay it out and once more to write it: the canvas only writes it.
    if kind == "svg":
        figure.patch.set_facecolor("none")
        FigureCanvasSVG(figure).print_svg(out, metadata=stamp[kind])  # type: ignore[no-untyped-call]  # as matplotlib has it
        figure.patch.set_facecolor(PAPER)
    elif kind == "pdf":
        FigureCanvasPdf(figure).print_pdf(out, metadata=stamp[kind])  # type: ignore[no-untyped-call]
    else:
        figure.savefig(out, format=kind, metadata=stamp[kind], dpi=200)
    return out.getvalue()


def _lay_out(figure: Figure) -> None:
    """Put every part of the figure in its place, at 72 dots an inch; a second time nothing moves."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    engine = figure.get_layout_engine()
    if engine is not None:
        FigureCanvasSVG(figure)  # its measures of text are meant
        figure.dpi = 72
        engine.execute(figure)
        figure.set_layout_engine("none")


@contextmanager
def _styled(fonttype: str) -> Iterator[None]:
    """Drawing in our style. Missing glyphs (a persona's name in Thai) show as boxes in files and as text in the page."""
    import matplotlib

    with matplotlib.rc_context(cast("Any", _settings(fonttype))), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing")
        yield


def _settings(fonttype: str) -> dict[str, Any]:
    """Matplotlib's settings: thin rules, no box, plain text (a dollar sign is a dollar sign)."""
    return {
        "svg.fonttype": fonttype,
        "svg.hashsalt": "cbtrun",
        "pdf.fonttype": 42,
        "text.parse_math": False,
        "axes.unicode_minus": True,
        "font.family": "sans-serif",
        "font.size": 12,
        "axes.titlesize": 12,
        "axes.labelsize": 12,
        "xtick.labelsize": 11.5,
        "ytick.labelsize": 12,
        "text.color": INK,
        "axes.labelcolor": MUTED,
        "axes.edgecolor": RULE,
        "axes.linewidth": 1,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "xtick.color": RULE,
        "ytick.color": RULE,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": INK,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.major.pad": 7,
        "axes.grid": True,
        "axes.grid.axis": "x",
        "grid.color": RULE,
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "figure.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "legend.frameon": False,
        "figure.constrained_layout.use": True,
    }
