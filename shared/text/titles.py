"""What a document calls itself."""

from __future__ import annotations

import re

from shared.text.markdown import scan

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_TAG = re.compile(r"</?[A-Za-z][^>]*>")
_MARKS = re.compile(r"\\(?=[!-/:-@\[-`{-~])|[*`]")  # CommonMark 0.31.2, 2.4 Backslash escapes
_ATTRIBUTES = re.compile(r"\s*\{[^{}]*\}\s*$")  # as in {#anchor}, which several site generators read


def first_heading(markdown: str) -> str | None:
    """The text of the first heading that has any, without the marks of its form."""
    for heading in scan(markdown).top_headings:
        text = _LINK.sub(r"\1", _TAG.sub("", _ATTRIBUTES.sub("", heading.text)))
        if title := _MARKS.sub("", text).strip():
            return title
    return None
