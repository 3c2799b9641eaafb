"""Pictures of diagrams: nothing active comes out, and nothing runs away, whatever goes in."""

from __future__ import annotations

import asyncio
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotConfigured
from shared.pictures import drawing
from shared.pictures.drawing import PictureLimits, Pictures, Undrawable
from shared.pictures.sanitize import MERMAID_ID, sanitized
from shared.pictures.worker import MAX_SIDE
from shared.text.mermaid.compile import compile_mermaid
from shared.text.mermaid.from_json import graph_from_json
from shared.text.mermaid.graph import DIAGRAM_TYPES
from shared.text.mermaid.labels import clean_text
from tests.cli_process import marginalia as command
from tests.marginalia import marginalia, two_providers
from tests.mermaid_graphs import HOSTILE, random_graph
from tests.simulator import Simulator

SVG = "{http://www.w3.org/2000/svg}"
PATIENT = PictureLimits(seconds=100)  # for machines that are busy with other tests
GRAPH = {
    "diagram_type": "flowchart",
    "nodes": [{"id": "a", "label": "Tag: the <b>build</b>"}, {"id": "b", "label": "Ship it; now"}],
    "edges": [{"from": "a", "to": "b", "label": "when “ready”"}],
}
ACTIVE = re.compile(
    r"<\s*(script|foreignObject|iframe|object|embed|image|a|use|animate|set|handler)\b"
    r"|\son\w+\s*=|\bhref\s*=|@import|@font-face|url\((?!#)|<!|<\?",
    re.IGNORECASE,
)


def mermaid_of(graph: dict[str, Any]) -> str:
    return compile_mermaid(graph_from_json(graph))


def texts(svg: str) -> list[str]:
    """Each label as it is shown, lines joined without the breaks."""
    root = ElementTree.fromstring(svg)
    return [" ".join("".join(one.itertext()).split()) for one in root.iter(f"{SVG}text")]


def assert_harmless(svg: str) -> None:
    """Tags and attributes, apart from what stands in texts."""
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    for element in root.iter():
        if element.tag != f"{SVG}style":
            element.text = element.tail = None
    assert not ACTIVE.search(ElementTree.tostring(root, encoding="unicode").replace("ns0:", ""))


# --- drawing --------------------------------------------------------------------------------------


async def test_labels_are_drawn_as_the_words_they_are() -> None:
    svg = (await Pictures(PATIENT).draw(mermaid_of(GRAPH), "svg")).decode()
    assert_harmless(svg)
    assert set(texts(svg)) >= {"Tag: the <b>build</b>", "Ship it; now", "when “ready”"}
    style = ElementTree.fromstring(svg).find(f"{SVG}style")
    assert style is not None
    assert "fill" in (style.text or "")


async def test_two_pictures_on_a_page_do_not_share_ids() -> None:
    pictures = Pictures(PATIENT)
    other = {**GRAPH, "edges": []}
    first, second = await asyncio.gather(
        *(pictures.draw(mermaid_of(graph), "svg") for graph in (GRAPH, other))
    )
    ids = [set(re.findall(r'\sid="([^"]*)"', svg.decode())) for svg in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    named = set(re.findall(r"url\(#([^)]*)\)", first.decode()))
    assert named
    assert named <= ids[0]


@pytest.mark.parametrize("part", range(4))
async def test_hostile_labels_come_out_as_their_own_words_and_nothing_else(part: int) -> None:
    labels = [label for label in HOSTILE[part::4] if len(clean_text(label)) > 1]
    nodes = [{"id": f"n{number}", "label": label} for number, label in enumerate(labels)]
    graph = {"diagram_type": "flowchart", "nodes": nodes, "edges": [{"from": "n0", "to": "n1"}]}
    svg = (await Pictures(PATIENT).draw(mermaid_of(graph), "svg")).decode()
    assert_harmless(svg)
    shown = {"".join(text.split()) for text in texts(svg)}  # long words are broken into lines
    for label in labels:
        assert "".join(clean_text(label).split()) in shown


@pytest.mark.parametrize("kind", DIAGRAM_TYPES)
async def test_every_type_is_drawn_from_graphs_with_hostile_labels(kind: str) -> None:
    graph = graph_from_json(random_graph(Random(f"{kind} 7"), kind), diagram_type=kind)
    svg = (await Pictures(PATIENT).draw(compile_mermaid(graph), "svg")).decode()
    assert_harmless(svg)
    assert texts(svg)


async def test_a_png_has_the_picture_on_white_at_twice_its_size() -> None:
    pictures = Pictures(PATIENT)
    svg = ElementTree.fromstring(await pictures.draw(mermaid_of(GRAPH), "svg"))
    png = await pictures.draw(mermaid_of(GRAPH), "png")
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    size = struct.unpack(">II", png[16:24])
    natural = [float(side) for side in svg.attrib["viewBox"].split()[2:]]
    assert size == pytest.approx([2 * side for side in natural], abs=2)
    pixels, width, _ = decoded(png)
    assert bytes(pixels[:4]) == b"\xff\xff\xff\xff"  # a corner
    colours = {bytes(pixels[place : place + 4]) for place in range(0, len(pixels), 4)}
    assert len(colours) > 20  # smooth text on nodes of the theme's colour
    assert bytes.fromhex("ececffff") in colours
    assert width == size[0]


def decoded(png: bytes) -> tuple[bytes, int, int]:
    from mermaidx.png_decode import decode_png_rgba

    pixels: tuple[bytes, int, int] = decode_png_rgba(png)
    return pixels


async def test_a_png_stays_within_bounds() -> None:
    nodes = [{"id": f"n{number}", "label": f"Participant {number}"} for number in range(30)]
    wide = {"diagram_type": "sequence", "nodes": nodes, "edges": [{"from": "n0", "to": "n29"}]}
    png = await Pictures(PATIENT).draw(mermaid_of(wide), "png")
    assert max(struct.unpack(">II", png[16:24])) == MAX_SIDE


_WITHOUT = """
import sys
from shared.pictures.worker import draw_svg
sys.stdout.write(draw_svg(sys.argv[1], faster=False))
sys.stdout.flush()
import os; os._exit(0)
"""


@pytest.mark.parametrize("kind", ["class", "sequence"])
async def test_what_makes_it_faster_changes_nothing(kind: str) -> None:
    nodes = [{"id": "a", "label": "Order: open", "members": ["+id: int"]}, {"id": "b", "label": "Item"}]
    graph = {"diagram_type": kind, "nodes": nodes, "edges": [{"from": "a", "to": "b", "label": "has"}]}
    mermaid = mermaid_of(graph)
    slowly = [sys.executable, "-c", _WITHOUT, mermaid]
    plain = await asyncio.to_thread(subprocess.run, slowly, capture_output=True, check=True, timeout=100)
    assert await Pictures(PATIENT).draw(mermaid, "svg") == plain.stdout


# --- limits ---------------------------------------------------------------------------------------

ENDLESS = mermaid_of(
    {
        "diagram_type": "class",
        "nodes": [{"id": f"n{n}", "label": "long " * 40, "members": ["long " * 40] * 30} for n in range(60)],
        "edges": [{"from": f"n{n}", "to": f"n{n + 1}", "label": "long " * 40} for n in range(59)],
    }
)


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "shared.pictures.worker" in child.cmdline()]


async def one_begins() -> None:
    for _ in range(1000):
        if children():
            return
        await asyncio.sleep(0.02)


async def test_what_takes_too_long_is_stopped_and_gone() -> None:
    with pytest.raises(Undrawable, match="too_slow"):
        await Pictures(replace(PATIENT, seconds=1.5)).draw(ENDLESS, "svg")
    assert children() == []


async def test_what_takes_too_much_memory_is_stopped() -> None:
    with pytest.raises(Undrawable, match="failed"):
        await Pictures(replace(PATIENT, memory_bytes=100 << 20)).draw(mermaid_of(GRAPH), "svg")
    assert children() == []


async def test_what_mermaid_refuses_is_an_error_and_not_a_picture_of_one() -> None:
    with pytest.raises(Undrawable, match="failed"):
        await Pictures(PATIENT).draw("no diagram at all", "svg")


async def test_a_client_that_leaves_ends_the_process() -> None:
    drawing_it = asyncio.create_task(Pictures(PATIENT).draw(ENDLESS, "svg"))
    await one_begins()
    drawing_it.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drawing_it
    assert children() == []


async def test_only_so_many_are_drawn_at_once() -> None:
    pictures = Pictures(replace(PATIENT, at_once=1))
    two = [asyncio.create_task(pictures.draw(ENDLESS, "svg")) for _ in range(2)]
    await one_begins()
    await asyncio.sleep(0.2)
    assert len(children()) == 1
    for one in two:
        one.cancel()
    await asyncio.gather(*two, return_exceptions=True)
    assert children() == []


async def test_the_process_sees_no_variable_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-secret")
    drawing_it = asyncio.create_task(Pictures(PATIENT).draw(ENDLESS, "svg"))
    await one_begins()
    assert set(children()[0].environ()) <= {"PYTHONPATH", "LC_CTYPE"}
    drawing_it.cancel()
    await asyncio.gather(drawing_it, return_exceptions=True)


# --- over HTTP and from the shell -----------------------------------------------------------------

URL = "/functions/v1/create-diagram"
BODY = {"concept": "release", "context": "1. Tag the build.\n2. Ship it.", "svg": True}


async def test_the_endpoint_gives_the_picture_when_asked(database_url: str) -> None:
    async with marginalia(database_url) as client:
        plain = (await client.post(URL, json={**BODY, "svg": False})).json()
        assert "svg" not in plain
        answer = (await client.post(URL, json=BODY, timeout=100)).json()
    assert answer["mermaid"] == plain["mermaid"]
    assert_harmless(answer["svg"])
    assert {"Tag the build", "Ship it"} <= set(texts(answer["svg"]))


async def test_without_the_extra_it_says_which_one_before_anybody_is_asked(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing, "find_spec", lambda name: None)
    async with Simulator() as together, Simulator() as openai:
        environ = two_providers(together.base_url, openai.base_url)
        async with marginalia(database_url, environ) as client:
            answer = await client.post(URL, json=BODY)
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "not_configured"
        assert "marginalia[svg]" in answer.json()["error"]["message"]
        assert together.requests == []
    with pytest.raises(NotConfigured):
        await Pictures().draw(mermaid_of(GRAPH), "svg")


async def test_a_picture_that_cannot_be_drawn_leaves_the_diagram(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drawing.PictureLimits, "__init__", lambda self: None)
    monkeypatch.setattr(drawing.PictureLimits, "seconds", 0.01)
    monkeypatch.setattr(drawing.PictureLimits, "memory_bytes", 1 << 30)
    monkeypatch.setattr(drawing.PictureLimits, "at_once", 1)
    async with marginalia(database_url) as client:
        answer = (await client.post(URL, json=BODY)).json()
    assert answer["mermaid"].startswith("flowchart")
    assert answer["svg"] is None
    assert answer["meta"]["picture"] == "too_slow"


def test_the_command_writes_what_the_name_says(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    wrong = command("diagram", "steps", "--out", "steps.gif", data_dir=data_dir)
    assert wrong.returncode == 2
    assert ".svg, .png, .mmd" in wrong.stderr
    concept = "Editor -> Server -> Database"
    shown = command("diagram", concept, "--type", "flowchart", data_dir=data_dir)
    assert shown.stdout.startswith("flowchart")
    for name, start in (("d.mmd", shown.stdout.encode()), ("d.svg", b"<svg"), ("d.png", b"\x89PNG")):
        done = command("diagram", concept, "--type", "flowchart", "--out", name, data_dir=data_dir)
        assert (done.returncode, done.stderr) == (0, f"wrote {name}\n")
        assert (tmp_path / name).read_bytes().startswith(start)


# --- the sanitiser --------------------------------------------------------------------------------


def svg_with(inside: str, attributes: str = "") -> str:
    return f'<svg xmlns="http://www.w3.org/2000/svg" {attributes}><g>{inside}</g></svg>'


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<script href="https://x"/>',
        '<foreignObject><div xmlns="http://www.w3.org/1999/xhtml">x</div></foreignObject>',
        '<h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script>',
        '<path d="M0 0" onload="alert(1)" onclick="alert(1)"/>',
        '<a href="javascript:alert(1)"><text>x</text></a>',
        '<image href="https://example.com/x.png"/>',
        '<use href="https://example.com/x.svg#a"/>',
        '<animate attributeName="href" to="javascript:alert(1)"/>',
        '<set attributeName="onclick" to="alert(1)"/>',
        '<path fill="url(https://example.com/x)"/>',
        '<path fill="url( &quot;https://example.com/x&quot;)"/>',
        '<path style="background:url(//example.com/x)"/>',
        '<path style="fill:u\\72l(//example.com/x)"/>',
        '<path style="fill:image-set(&quot;x.png&quot; 1x)"/>',
        "<style>@import 'https://example.com/x.css';</style>",
        "<style>@font-face{src:url(https://example.com/x)}</style>",
        "<style>#my-svg a{background:url(//example.com/x)}</style>",
        "<style>body{display:none}</style>",
        "<style>#my-svg a,body{display:none}</style>",
        "<style>#my-svg a{} } body{display:none}</style>",
        "<style>@media all{body{display:none}}</style>",
        '<path xml:base="https://example.com/"/>',
        "<!-- a comment --><?xml-stylesheet href='x'?>",
    ],
)
def test_what_is_active_or_reaches_outside_is_taken_out(inside: str) -> None:
    clean = sanitized(svg_with(inside), id="diagram-1")
    assert_harmless(clean)
    assert "example.com" not in clean
    assert "alert" not in clean
    assert "body" not in clean


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no XML",
        "<html/>",
        '<svg xmlns="http://www.w3.org/1999/xhtml"/>',
        '<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg"><text>&a;</text></svg>',
    ],
)
def test_what_is_no_svg_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no SVG"):
        sanitized(text, id="diagram-1")


def test_what_draws_stays() -> None:
    inside = (
        '<style>#my-svg .a{fill:#fff}@keyframes dash{to{x:0;}}</style><defs><marker id="my-svg-end"/></defs>'
        '<path class="a" d="M 0 0 L 10 5" marker-end="url(#my-svg-end)"/><text x="1">1 &lt; 2 my-svg</text>'
    )
    clean = sanitized(svg_with(inside, 'id="my-svg" viewBox="0 0 10 10"'), id="diagram-1")
    assert clean == (
        '<svg id="diagram-1" viewBox="0 0 10 10" xmlns="http://www.w3.org/2000/svg"><g>'
        "<style>#diagram-1 .a{fill:#fff}@keyframes dash{to{x:0;}}</style>"
        '<defs><marker id="diagram-1-end" /></defs>'
        '<path class="a" d="M 0 0 L 10 5" marker-end="url(#diagram-1-end)" />'
        '<text x="1">1 &lt; 2 my-svg</text></g></svg>'
    )


names = st.sampled_from(
    ["g", "path", "text", "style", "script", "foreignObject", "a", "use", "image", "svg", "set", "iframe"]
)
attributes = st.dictionaries(
    st.sampled_from(["id", "d", "style", "fill", "onload", "onclick", "href", "class", "filter", "src"]),
    st.one_of(
        st.text(max_size=20),
        st.sampled_from(["url(//x)", "url(#a)", "javascript:alert(1)", "data:text/html,x", "URL ( x )"]),
    ),
    max_size=4,
)
words = st.one_of(
    st.text(max_size=20), st.sampled_from(["<script>", "@import 'x'", "a{b:url(x)}", "#my-svg{}", "}"])
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> ElementTree.Element:
    space = draw(st.sampled_from([SVG, SVG, SVG, "", "{http://www.w3.org/1999/xhtml}"])) if depth else SVG
    element = ElementTree.Element(f"{space}{draw(names) if depth else 'svg'}")
    for name, value in draw(attributes).items():
        element.set(name, value)
    element.text, element.tail = draw(words), draw(words) if depth else None
    for _ in range(draw(st.integers(0, 3)) if depth < 3 else 0):
        element.append(draw(elements(depth + 1)))
    return element


@given(elements())
def test_no_tree_brings_anything_active_through(root: ElementTree.Element) -> None:
    try:
        clean = sanitized(ElementTree.tostring(root, encoding="unicode"), id=MERMAID_ID)
    except ValueError:
        return  # characters that XML cannot hold
    assert_harmless(clean)
    assert sanitized(clean, id=MERMAID_ID) == clean
