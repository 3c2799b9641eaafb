"""What begins and ends the blocks of Markdown (CommonMark 0.31.2, section 4, and GitHub's tables).

Every pattern is linear on any text: what follows a repetition cannot begin with what it repeats.
"""

from __future__ import annotations

import re

LINE_END = re.compile(r"\r\n?|\n")
INDENT = re.compile(r"[ \t]*")
FENCE = re.compile(r"(`{3,})([^`\r\n]*)(?=[\r\n]|\Z)|(~{3,})([^\r\n]*)")
ATX = re.compile(r"(#{1,6})(?=[ \t\r\n]|\Z)[ \t]*")
ATX_CLOSE = re.compile(r"(?:^|[ \t])#+$")
SETEXT = re.compile(r"(=+|-+)[ \t]*(?=[\r\n]|\Z)")
BREAK = re.compile(r"(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})(?=[\r\n]|\Z)")
ITEM = re.compile(r"([-+*]|[0-9]{1,9}[.)])(?=[ \t\r\n]|\Z)")
DELIMITERS = re.compile(
    r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*(?=[\r\n]|\Z)",
)
PIPE = re.compile(r"(?<!\\)\|")
FRONT_MATTER_KEY = re.compile(r"^[\w\"'][^\r\n:]*:|^[\w.-]+[ \t]*=", re.MULTILINE)
_LINE_CHANGE = r"(?:\r\n?|\n)[ \t>]*"
_TITLE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\((?:[^()\\]|\\.)*\))"""
DEFINITION = re.compile(
    rf"[ \t>]*\[((?:[^\[\]\\]|\\.){{1,999}})\]:[ \t]*(?:{_LINE_CHANGE})?(<[^<>\r\n]*>|[^\s<]\S*)"
    rf"(?:(?:[ \t]+|[ \t]*{_LINE_CHANGE}){_TITLE})?[ \t]*(?:\r\n?|\n|\Z)",
    re.DOTALL,
)
FOOTNOTE = re.compile(r"\[(\^[^\[\]\s]{1,100})\]:")
_HTML_BLOCK_TAGS = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|dialog|dir|"
    "div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|hr|html|iframe|"
    "legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|search|section|summary|"
    "table|tbody|td|tfoot|th|thead|title|tr|track|ul"
)
HTML_RAW = re.compile(
    r"<(script|pre|style|textarea)(?=[\s>]|\Z)|<(!--)|<(\?)|<(!\[CDATA\[)|<(![A-Za-z])", re.I
)
HTML_BLOCK = re.compile(rf"</?(?:{_HTML_BLOCK_TAGS})(?=[\s/>]|\Z)", re.I)
_ATTRIBUTE = r"""[ \t]+[A-Za-z_:][\w.:-]*(?:[ \t]*=[ \t]*(?:[^\s"'=<>`]+|'[^'\r\n]*'|"[^"\r\n]*"))?"""
HTML_ALONE = re.compile(
    rf"(?:<[A-Za-z][A-Za-z0-9-]*(?:{_ATTRIBUTE})*[ \t]*/?>|</[A-Za-z][A-Za-z0-9-]*[ \t]*>)[ \t]*(?=[\r\n]|\Z)"
)
RAW_ENDS = {"!--": "-->", "?": "?>", "![cdata[": "]]>"}
