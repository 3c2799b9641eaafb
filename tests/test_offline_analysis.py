"""The offline analysis finds what rules can find, at places that are true, and nothing silly."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.offline.analysis import MOST_FINDINGS, analyze
from shared.text.offline.link_rules import heading_slug
from shared.text.offline.model import Finding, OfflineAnalysis, Severity
from shared.types import DocumentKind
from tests.test_markdown import any_markdown

CORPUS = Path(__file__).parents[1].parent / "shared" / "data" / "markdown_corpus"
MARKDOWN, TYPESCRIPT, JSON = DocumentKind.MARKDOWN, DocumentKind.TYPESCRIPT, DocumentKind.JSON
any_code = st.lists(
    st.sampled_from(
        [
            *"{}()[]\"'`/;:,\n",
            "${",
            "/*",
            "*/",
            "//",
            " any",
            "export const x = 1\n",
            "/** d */\n",
            "@ts-ignore",
        ]
    )
    | st.text(max_size=5),
    max_size=40,
).map("".join)
any_json = st.lists(
    st.sampled_from([*'{}[],:"\n', '"a"', '"b": ', "1", "null", "true", '"TODO"', '""', "\\", "1e5"])
    | st.text(max_size=4),
    max_size=40,
).map("".join)
any_document = st.one_of(
    st.tuples(any_markdown, st.just(MARKDOWN)),
    st.tuples(any_code, st.just(TYPESCRIPT)),
    st.tuples(any_json, st.just(JSON)),
)


def found(content: str, category: str, kind: DocumentKind = MARKDOWN) -> list[Finding]:
    return [one for one in analyze(content, kind).findings if one.category == category]


def quotes(content: str, category: str, kind: DocumentKind = MARKDOWN) -> list[str]:
    return [content[one.start : one.end] for one in found(content, category, kind)]


def titles(analysis: OfflineAnalysis) -> list[str]:
    return [section.title for section in analysis.missing_sections]


MANY_SENTENCES = "Five words are in here. " * 40
LONG = "Word " * 44 + "end."
VERY_LONG = "Word " * 64 + "end."


@pytest.mark.parametrize(
    ("category", "content", "quoted"),
    [
        ("heading-jump", "# A\n\n## B\n\n#### C\n\nx\n", ["####"]),
        ("several-titles", "# A\n\nx\n\n# B\n\ny\n", ["# B"]),
        ("missing-title", "## A\n\nx\n", ["## A"]),
        ("duplicate-heading", "# T\n\n## A\n\nx\n\n## *A*\n\ny\n", ["## *A*"]),
        ("empty-section", "# T\n\nx\n\n## A\n\n## B\n\ny\n", ["## A"]),
        ("empty-section", "# T\n\nx\n\n## A\n<!-- later -->\n", ["## A"]),
        ("heading-space", "# T\n\n##A b\n", ["##A b"]),
        ("unclosed-fence", "# T\n\n```py\nx\n", ["```"]),
        ("fence-language", "# T\n\n```\nx\n```\n", ["```"]),
        ("placeholder", "# T\n\nTODO: write. TBD, FIXME.\n", ["TODO", "TBD", "FIXME"]),
        ("placeholder", "# T\n\nXXX and xxxx.\n", ["XXX", "xxxx"]),
        ("placeholder", "# T\n\nLorem ipsum <your name>\n", ["Lorem ipsum", "<your name>"]),
        ("placeholder", "# T\n\n[Your address] here\n", ["[Your address]"]),
        ("placeholder", "# T\n\nComing soon.\n", ["Coming soon"]),
        ("placeholder", "# T\n\n<!-- TODO: rewrite -->\n", ["TODO"]),
        ("long-sentence", f"# T\n\nShort one. {LONG} Short again.\n", [LONG]),
        ("long-paragraph", f"# T\n\n{MANY_SENTENCES}\n", [MANY_SENTENCES.strip()]),
        ("repeated-word", "# T\n\nThis is the the one. The the end.\n", ["the the", "The the"]),
        ("repeated-word", "# T\n\nIt is at\nat the line's end.\n", ["at\nat"]),
        ("undefined-acronym", "# T\n\nThe QZX works. Each QZX does.\n", ["QZX"]),
        ("dead-link", "# T\n\n[a](#nowhere) [b](#t)\n", ["#nowhere"]),
        ("dead-link", "# T\n\n[a][b]\n\n[b]: #nowhere\n", ["#nowhere"]),
        ("empty-link", "# T\n\n[a]()\n", ["[a]()"]),
        ("undefined-reference", "# T\n\n[a][b] [c][]\n\n[b]: x\n", ["[c][]"]),
        ("undefined-reference", "# T\n\nA note[^1] and[^2].\n\n[^2]: here\n", ["[^1]"]),
        ("image-text", "# T\n\n![](a.png) ![b](b.png)\n", ["![](a.png)"]),
    ],
)  # fmt: skip
def test_a_rule_finds_what_it_is_for(category: str, content: str, quoted: list[str]) -> None:
    assert quotes(content, category) == quoted


@pytest.mark.parametrize(
    ("category", "content"),
    [
        ("placeholder", "# T\n\n`TODO` and a TODO list; the todo app at https://x.y/TODO/xxx\n"),
        ("placeholder", "# T\n\n```py\n# TODO\n```\n\n    TODO\n"),
        ("placeholder", "# T\n\nThe nicest aspect of trains is that the next one\nis coming soon, always.\n"),
        ("repeated-word", "# T\n\nHe had had that that. `the` the. CloudWatch Logs logs it. [the](x) the\n"),
        ("repeated-word", "# T\n\nfor the\n\nthe next paragraph\n"),
        ("undefined-acronym", "# T\n\nHTTP and JSON. A Service Level Goal (SLG) is an SLG. QZX: a queue.\n"),
        ("undefined-acronym", "# T\n\nDO NOT do. REALLY `QZX`, really. THIS IS LOUD TEXT HERE.\n"),
        ("dead-link", "# T\n\n## A & B: `c`!\n\n[a](#a--b-c) [b](#t) [c](#) [d](other.md#x) `[e](#f)`\n"),
        ("dead-link", "# T\n\n[g](#named)\n\n<a id=\"named\"></a>\n"),
        ("dead-link", "# T\n\n## Same\n\nx\n\n## Same\n\n[a](#same-1) [b](#own)\n\n## Z { #own }\n"),
        ("undefined-reference", "# T\n\nm[i][j], - [ ][x] `[a][b]` [1][2] \\[a][b]\n"),
        ("duplicate-heading", "# T\n\n## A\n\n### Example\n\nx\n\n## B\n\n### Example\n\ny\n"),
        ("fence-language", "# T\n\n```py\nx\n```\n"),
        ("missing-title", "---\ntitle: T\n---\n\n## A\n\nx\n"),
        ("heading-jump", "# T\n\n```md\n#### x\n```\n\n> #### y\n"),
        ("long-sentence", "# T\n\n" + "Short, e.g. this one by J. Doe et al. Then another! " * 30),
        ("empty-section", "# T\n\n## A\n\n### B\n\nx\n"),
    ],
)  # fmt: skip
def test_a_rule_leaves_alone_what_is_right(category: str, content: str) -> None:
    assert quotes(content, category) == []


@pytest.mark.parametrize(
    ("content", "category", "fixed"),
    [
        ("# T\n\nThis is the the one.\n", "repeated-word", "# T\n\nThis is the one.\n"),
        ("# T\n\n```\n{\"a\": 1}\n```\n", "fence-language", "# T\n\n```json\n{\"a\": 1}\n```\n"),
        ("# T\n\n~~~\n$ ls\n$ pwd\n~~~\n", "fence-language", "# T\n\n~~~console\n$ ls\n$ pwd\n~~~\n"),
        ("# T\n\n```\n├── a\n└── b\n```\n", "fence-language", "# T\n\n```text\n├── a\n└── b\n```\n"),
        ("# T\n\n### A\n\nx\n", "heading-jump", "# T\n\n## A\n\nx\n"),
        ("# T\n\n##A\n", "heading-space", "# T\n\n## A\n"),
        ("# Big Part\n\n[x](#Big_Part)\n", "dead-link", "# Big Part\n\n[x](#big-part)\n"),
    ],
)  # fmt: skip
def test_a_replacement_takes_the_place_of_the_quote_alone(content: str, category: str, fixed: str) -> None:
    (one,) = found(content, category)
    assert one.replacement is not None
    assert content[: one.start] + one.replacement + content[one.end :] == fixed
    assert found(fixed, category) == []


def test_no_replacement_is_offered_where_it_would_be_a_guess() -> None:
    for content, category in (
        ("# T\n\n```\nsome output\n```\n", "fence-language"),
        ("# T\n\n### A\n\nx\n\n### B\n\ny\n", "heading-jump"),
        ("# T\n\n[a](#tt)\n", "dead-link"),
    ):
        assert [one.replacement for one in found(content, category)] == [None]


def test_messages_name_what_was_found() -> None:
    (sentence,) = found(f"# T\n\n{VERY_LONG}\n", "long-sentence")
    assert "65 words" in sentence.message
    assert sentence.severity is Severity.WARNING
    (acronym,) = found("# T\n\nThe QZX works. Each QZX does.\n", "undefined-acronym")
    assert "“QZX” is used 2 times" in acronym.message
    (link,) = found("# T\n\n## Installing it\n\n[a](#instaling-it)\n", "dead-link")
    assert "#instaling-it" in link.message
    assert "nearest is #installing-it" in link.message
    (fence,) = found("# T\n\n```\nx\ny\n", "unclosed-fence")
    assert "line 3" in fence.message


@pytest.mark.parametrize(
    ("heading", "slug"),
    [
        ("Hello, World!", "hello-world"),
        ("A & B", "a--b"),
        ("`code` and *em*", "code-and-em"),
        ("snake_case-name", "snake_case-name"),
        ("Überschrift № 1", "überschrift--1"),
        ("हिन्दी", "हिन्दी"),
        ("[Link](x) 2.0", "link-20"),
    ],
)
def test_slugs_are_those_of_github(heading: str, slug: str) -> None:
    assert heading_slug(heading) == slug


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        (
            "# Payments: the design\n\n## Goals\n\nx\n\n## Architecture\n\ny\n\n## Risks\n\nz\n",
            ["Context", "Non-goals", "Alternatives considered", "Testing and rollout", "Open questions"],
        ),
        (
            "# How to bake\n\nA cake.\n\n1. Mix\n2. Bake\n",
            ["Prerequisites", "Check the result", "Troubleshooting", "Next steps"],
        ),
        (
            "# tool\n\nIt helps.\n\n## Installation\n\nx\n\n## Usage\n\ny\n\n## License\n\nMIT\n",
            ["Configuration", "Contributing"],
        ),
        (
            "# ADR 7: queue\n\n## Status\n\nx\n\n## Decision\n\ny\n",
            ["Context", "Consequences", "Alternatives"],
        ),
        (
            "# Postmortem: outage of May\n\nIt fell.\n\n## Timeline\n\nx\n",
            ["Impact", "Root cause", "Lessons learned", "Action items"],
        ),
        (
            "# Payments API\n\nIt pays.\n\n## Endpoints\n\nx\n",
            ["Authentication", "Errors", "Rate limits", "Examples"],
        ),
        (
            "# Payments: the design\n\nText.\n\n## Non-goals\n\nx\n\n## Design\n\ny\n\n## Risks\n\nz\n",
            ["Goals", "Alternatives considered", "Testing and rollout", "Open questions"],
        ),
        ("# Changelog\n\n## 1.0.0\n\n- first\n", []),
        ("# Notes on cats\n\nThey purr.\n\n## Food\n\nFish.\n", []),
        ("# Notes on cats\n\n## Food\n\nFish.\n", ["Introduction"]),
    ],
)
def test_missing_sections_are_those_of_the_kind_of_document(content: str, missing: list[str]) -> None:
    assert titles(analyze(content, MARKDOWN)) == missing


def test_a_missing_section_says_where_it_belongs_why_and_what_it_holds() -> None:
    content = "# Payments: the design\n\nx\n\n## Goals\n\nx\n\n## Architecture\n\ny\n"
    section = next(one for one in analyze(content, MARKDOWN).missing_sections if one.title == "Non-goals")
    assert section.after_heading == "Goals"
    assert section.reason
    assert len(section.outline) >= 2
    first = analyze("## Payments\n\n## Goals\n\nx", MARKDOWN).missing_sections
    assert all(one.after_heading is None or one.after_heading in ("Payments", "Goals") for one in first)


def test_the_summary_states_facts_of_the_document() -> None:
    summary = analyze("# How to bake\n\nA cake is **easy** to make.\n\n1. Mix\n2. Bake\n", MARKDOWN).summary
    assert summary.startswith("A how-to guide, “How to bake”: 8 words in 1 section.")
    assert "It begins: “A cake is easy to make.”" in summary
    assert "“Prerequisites”" in summary


def test_an_empty_document_is_called_empty() -> None:
    for kind in DocumentKind:
        assert analyze(" \n", kind).summary == "The document is empty."


def test_at_most_a_hundred_findings_are_kept_the_most_severe_in_the_order_of_the_text() -> None:
    content = "# T\n\n" + "```\nx\n```\n\nthe the\n\n" * 80 + "[a](#nowhere)\n"
    analysis = analyze(content, MARKDOWN)
    assert len(analysis.findings) == MOST_FINDINGS
    assert [one.start for one in analysis.findings] == sorted(one.start for one in analysis.findings)
    assert sum(one.category == "repeated-word" for one in analysis.findings) == 80
    assert analysis.findings[-1].category == "dead-link"
    assert "1 error, 80 warnings and 80 hints. The 100 most severe are listed." in analysis.summary


def test_scores_fall_with_what_is_wrong() -> None:
    good = "# T\n\n" + "This is a short and clear sentence about cats. " * 14 + "\n"
    bad = f"# T\n\n{VERY_LONG} {VERY_LONG}\n\n#### A\n\nTODO [a](#x)\n\n#### B\n\n```\n"
    perfect, poor = analyze(good, MARKDOWN).scores, analyze(bad, MARKDOWN).scores
    assert (perfect.completeness, perfect.clarity, perfect.structure) == (100, 100, 100)
    assert poor.completeness < 100
    assert poor.clarity < 70
    assert poor.structure < 70


CODE = """import { a } from "x";

/** Adds. TODO: mind the overflow */
export function add(x: number, y: any): any {
  return (x + y) as any; // "any": any in a comment
}

// @ts-ignore
export class Foo {
  text = 'it\\'s "x": any';
  template = `a ${add(1, 2)} : any`;
  pattern = /['"]: any/g;
  quote = text.match(/`/) || 4 / 2 / 1;
  run(): Promise<any> { try { go() } catch (e) {} }
}

/** Documented. */
@Decorated({ a: 1 })
export default class Bar {}

export type Kind = "a" | "b";
"""


@pytest.mark.parametrize(
    ("category", "quoted"),
    [
        ("placeholder", ["TODO: mind the overflow"]),
        ("any-type", ["any", "any", "any", "any"]),
        ("suppressed-error", ["@ts-ignore"]),
        ("undocumented-export", ["Foo", "Kind"]),
        ("empty-catch", ["catch (e) {}"]),
    ],
)
def test_a_typescript_rule_finds_what_it_is_for_in_code_alone(category: str, quoted: list[str]) -> None:
    assert quotes(CODE, category, TYPESCRIPT) == quoted


def test_a_comment_far_above_an_export_does_not_describe_it() -> None:
    assert quotes("/** The module. */\n\n\nexport const a = 1;\n", "undocumented-export", TYPESCRIPT) == ["a"]
    assert quotes("go(); /** Later. */\nexport const a = 1;\n", "undocumented-export", TYPESCRIPT) == ["a"]


def test_typescript_is_summed_up_by_its_exports() -> None:
    analysis = analyze(CODE, TYPESCRIPT)
    assert "exports 4 names (add, Foo, Bar, Kind), 2 of them with a comment" in analysis.summary
    assert titles(analysis) == ["Module comment"]
    assert titles(analyze("// What it is for.\nexport const a = 1;\n", TYPESCRIPT)) == []


VALUES = '{\n  "a": "",\n  "b": null,\n  "b": [],\n  "c": {"d": "TODO", "e": "<your key>", "f": 1}\n}'


@pytest.mark.parametrize(
    ("category", "quoted"),
    [
        ("empty-value", ['""', "null", "[]"]),
        ("duplicate-key", ['"b"']),
        ("placeholder", ["TODO", "<your key>"]),
        ("invalid-json", []),
    ],
)
def test_a_json_rule_finds_what_it_is_for(category: str, quoted: list[str]) -> None:
    assert quotes(VALUES, category, JSON) == quoted


@pytest.mark.parametrize(
    ("content", "at"),
    [
        ('{"a": 1,}', 8),
        ('{"a" 1}', 5),
        ("[1, 2", 5),
        ("[1] 2", 4),
        ('{"a": tru}', 6),
        ('{"a": "b', 6),
        ("[1}", 2),
        ("01", 1),
    ],
)
def test_json_that_is_wrong_is_told_where(content: str, at: int) -> None:
    (one,) = found(content, "invalid-json", JSON)
    assert one.start == min(at, len(content) - 1)
    assert one.severity is Severity.ERROR


def test_json_is_summed_up_by_its_keys() -> None:
    summary = analyze('{"name": "x", "list": [1, 2]}', JSON).summary
    assert summary.startswith("An object with the keys name, list: 5 values in 3 levels.")


@settings(max_examples=300, deadline=None)
@given(any_document)
def test_any_text_gives_findings_that_stand_in_it(document: tuple[str, DocumentKind]) -> None:
    content, kind = document
    analysis = analyze(content, kind)
    assert analysis.summary
    scores = analysis.scores
    assert all(0 <= score <= 100 for score in (scores.completeness, scores.clarity, scores.structure))
    assert len(analysis.findings) <= MOST_FINDINGS
    for one in analysis.findings:
        assert 0 <= one.start < one.end <= len(content)
        assert one.message
        assert one.replacement != content[one.start : one.end]
    assert [one.start for one in analysis.findings] == sorted(one.start for one in analysis.findings)
    assert analyze(content, kind) == analysis


@pytest.mark.parametrize(
    "content", ["the \ud800 the", "\x00", "\ufeff# A\r\n\r\n```", "😀" * 500, "\u2028# A\u2029"]
)
@pytest.mark.parametrize("kind", list(DocumentKind))
def test_odd_characters_are_taken(content: str, kind: DocumentKind) -> None:
    assert analyze(content, kind).summary


@pytest.mark.parametrize(
    "piece", ["AA ", "TODO ", "[a](#b)\n", "# a\n", "- a\n", ". ", "(", "<your ", "**a ", "coming soon "]
)
def test_a_long_text_of_one_pattern_is_analysed_to_its_end(piece: str) -> None:
    assert analyze(piece * (60_000 // len(piece)), MARKDOWN).summary


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the Markdown corpus is not on this machine")
def test_well_kept_documents_have_few_severe_findings() -> None:
    severe: dict[str, int] = {}
    paths = sorted(CORPUS.rglob("*.md"))[::5]
    for path in paths:
        for one in analyze(path.read_text(encoding="utf-8"), MARKDOWN).findings:
            if one.severity is Severity.ERROR or one.category in ("repeated-word", "placeholder"):
                severe[path.name] = severe.get(path.name, 0) + 1
    assert sum(severe.values()) < len(paths) / 10, severe
