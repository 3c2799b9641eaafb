"""What of an SVG may come out: known elements and attributes that draw, and a style sheet that stays inside.

Allowed is what Mermaid's own pictures are made of (SVG 2, https://www.w3.org/TR/SVG2/). Everything else
goes: scripts, foreign content, event handlers, links, pictures and fonts from elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

_SVG = "{http://www.w3.org/2000/svg}"
MERMAID_ID = "my-svg"  # which mermaidx gives each picture; every id and rule in one begins with it

_ELEMENTS = frozenset(
    {
        *("svg", "g", "defs", "marker", "symbol", "style", "title", "desc", "text", "tspan", "clipPath"),
        *("path", "rect", "circle", "ellipse", "line", "polygon", "polyline"),
        *("filter", "feDropShadow", "linearGradient", "radialGradient", "stop"),
    }
)
_ATTRIBUTES = frozenset(
    {
        *("id", "class", "style", "role", "aria-roledescription", "aria-labelledby", "aria-describedby"),
        *("viewBox", "width", "height", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "d"),
        *("points", "transform", "transform-origin", "preserveAspectRatio", "dx", "dy"),
        *("fill", "fill-opacity", "fill-rule", "clip-rule", "clip-path", "opacity", "visibility", "display"),
        *("stroke", "stroke-width", "stroke-dasharray", "stroke-dashoffset", "stroke-opacity"),
        *("stroke-linecap", "stroke-linejoin", "marker-start", "marker-mid", "marker-end"),
        *("markerWidth", "markerHeight", "markerUnits", "refX", "refY", "orient"),
        *("filter", "stdDeviation", "flood-color", "flood-opacity"),
        *("offset", "stop-color", "stop-opacity", "gradientUnits", "gradientTransform"),
        *("text-anchor", "text-decoration", "dominant-baseline", "alignment-baseline", "letter-spacing"),
        *("font-family", "font-size", "font-style", "font-weight"),
    }
)

# What would load, run or escape: anything but a reference into the same picture.
_UNSAFE_VALUE = re.compile(
    r"url\s*\((?!\s*#)|[\\@<]|/\*|\w:/|script\s*:|expression\s*\(|image(?:-set)?\s*\(", re.I
)
_KEYFRAMES = re.compile(r"@keyframes\s+[\w-]+\s*\{(?:[^{}]*\{[^{}]*\})*\s*\}")
_RULE = re.compile(r"\s*([^{}]+)\{([^{}]*)\}\s*")


def sanitized(svg: str, *, id: str, shown: Mapping[int, str] | None = None) -> str:
    """The picture with nothing but what draws, under an id of its own, so that several fit on a page.

    `shown` says what stands in its texts for which characters. Raises ValueError for what is no SVG.
    """
    try:
        root = ElementTree.fromstring(svg, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException) as error:
        raise ValueError(f"no SVG: {type(error).__name__}") from None
    if root.tag != f"{_SVG}svg":
        raise ValueError("no SVG: another root")
    _clean(root, id)
    for element in root.iter():
        if element.tag != "style":
            element.text = (element.text or "").translate(shown or {})
        element.tail = (element.tail or "").translate(shown or {})
    root.set("xmlns", _SVG[1:-1])
    return str(ElementTree.tostring(root, encoding="unicode"))


def _clean(element: Element, id: str) -> None:
    element.tag = element.tag.removeprefix(_SVG)
    for name, value in list(element.attrib.items()):
        if name in _ATTRIBUTES and not _UNSAFE_VALUE.search(value):
            element.set(name, value.replace(MERMAID_ID, id))
        else:
            del element.attrib[name]
    if element.tag == "style":
        element.text = _style_sheet(element.text or "").replace(MERMAID_ID, id)
    for child in list(element):
        if _allowed(child):
            _clean(child, id)
        else:
            element.remove(child)


def _allowed(element: Element) -> bool:
    """Comments and processing instructions have no name."""
    tag = element.tag
    return isinstance(tag, str) and tag.startswith(_SVG) and tag.removeprefix(_SVG) in _ELEMENTS


def _style_sheet(css: str) -> str:
    """The sheet, or nothing if a rule of it could reach beyond the picture or load anything."""
    bare = _KEYFRAMES.sub("", css)
    if _RULE.sub("", bare).strip() or _UNSAFE_VALUE.search(bare):
        return ""
    selectors = (part for rule in _RULE.finditer(bare) for part in rule[1].split(","))
    return css if all(part.strip().startswith(f"#{MERMAID_ID}") for part in selectors) else ""
