"""A model's JSON made into a graph: what is mended, what is refused."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.text.mermaid import DIAGRAM_TYPES, GRAPH_SCHEMA, Graph, canonical_type, graph_from_json
from shared.text.mermaid.graph import MAX_NODES, Edge, Group, Node
from shared.text.mermaid.identifiers import assign_identifiers, identifier_from, is_identifier
from tests.mermaid_graphs import HOSTILE, random_graph


def ends(graph: Graph) -> list[tuple[str, str]]:
    return [(edge.source, edge.target) for edge in graph.edges]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sequenceDiagram", "sequence"),
        ("Sequence diagram", "sequence"),
        ("erDiagram", "er"),
        ("entity-relationship", "er"),
        ("graph", "flowchart"),
        ("flowchart-v2", "flowchart"),
        ("stateDiagram-v2", "state"),
        ("quadrantChart", "quadrant"),
        *((name, name) for name in DIAGRAM_TYPES),
    ],
)
def test_types_are_known_by_their_usual_names(name: str, expected: str) -> None:
    assert canonical_type(name) == expected


def test_an_unknown_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"must be one of flowchart, .*, not 'hologram'\.$"):
        canonical_type("hologram")


@pytest.mark.parametrize(
    "edge",
    [
        {"from": "a", "to": "b", "label": "go"},
        {"source": "a", "target": "b", "text": "go"},
        {"From": "A", "To": "B", "message": "go"},
        ["a", "b", "go"],
        "a -> b: go",
        "A → B: go",
    ],
)
def test_edges_are_read_in_the_ways_models_write_them(edge: Any) -> None:
    graph = graph_from_json(
        {"nodes": [{"id": "a", "label": "A"}, {"id": "b", "label": "B"}], "edges": [edge]}
    )
    assert graph.edges == (Edge("a", "b", "go"),)
    assert graph.mended == ()


@pytest.mark.parametrize(
    "nodes",
    [
        [{"id": "a", "label": "Apple"}],
        [{"key": "a", "text": "Apple"}],
        [{"name": "a", "title": "Apple"}],
        {"a": {"label": "Apple"}},
        {"a": "Apple"},
    ],
)
def test_nodes_are_read_in_the_ways_models_write_them(nodes: Any) -> None:
    graph = graph_from_json({"nodes": nodes})
    assert graph.nodes == (Node("a", "Apple"),)


def test_a_graph_inside_another_object_is_found() -> None:
    graph = graph_from_json(
        {"graph": {"type": "state", "states": ["Idle", "Busy"], "transitions": [["Idle", "Busy"]]}}
    )
    assert (graph.diagram_type, ends(graph)) == ("state", [("Idle", "Busy")])


def test_what_the_caller_asked_for_goes_before_what_the_model_says() -> None:
    graph = graph_from_json({"diagram_type": "class", "nodes": ["A"]}, diagram_type="erDiagram")
    assert graph.diagram_type == "er"


def test_an_edge_to_an_unknown_node_brings_it_and_says_so() -> None:
    graph = graph_from_json(
        {"nodes": [{"id": "a", "label": "A"}], "edges": [{"from": "a", "to": "the cache"}]}
    )
    assert graph.nodes[1] == Node("the_cache", "the cache")
    assert graph.mended == ("An edge named the unknown node the cache: it was added.",)


def test_an_edge_may_name_a_node_by_its_label() -> None:
    nodes = [{"id": "n1", "label": "Web server"}, {"id": "n2", "label": "Cache"}]
    graph = graph_from_json({"nodes": nodes, "edges": [{"from": "web server", "to": "Cache"}]})
    assert ends(graph) == [("n1", "n2")]


def test_a_repeated_node_is_one_and_another_with_its_id_gets_its_own() -> None:
    same = [
        {"id": "a", "label": "A"},
        {"id": "a", "label": "A", "quote": "words"},
        {"id": "a", "label": "Another"},
    ]
    graph = graph_from_json({"nodes": same})
    assert graph.nodes == (Node("a", "A", quote="words"), Node("Another", "Another"))
    assert graph.mended == ("The id a stood twice: the second is now Another.",)


def test_groups_are_declared_by_mention_nested_without_circles_and_left_out_when_empty() -> None:
    data = {
        "nodes": [{"id": "a", "group": "one"}, {"id": "b", "group": "unnamed group"}],
        "groups": [
            {"id": "one", "label": "One", "parent": "two"},
            {"id": "two", "label": "Two", "parent": "three"},
            {"id": "three", "label": "Three", "parent": "two"},
            {"id": "none", "label": "Nothing in it"},
        ],
    }
    graph = graph_from_json(data)
    assert {group.label: group.parent for group in graph.groups} == {"One": None, "unnamed group": None}
    assert any("Nothing in it" in note for note in graph.mended)


def test_a_group_with_the_id_of_a_node_is_told_apart() -> None:
    graph = graph_from_json(
        {"nodes": [{"id": "api", "group": "api"}], "groups": [{"id": "api", "label": "API"}]}
    )
    assert graph.nodes[0].id == "api"
    assert graph.nodes[0].group == graph.groups[0].id != "api"


def test_nested_children_become_a_tree() -> None:
    data = {"root": {"label": "Top", "children": [{"label": "West", "children": ["Leaf"]}, "East"]}}
    graph = graph_from_json(data, diagram_type="mindmap")
    assert sorted(ends(graph)) == [("Top", "East"), ("Top", "West"), ("West", "Leaf")]


def test_children_nested_very_deeply_are_read_without_recursion() -> None:
    data: dict[str, Any] = {"label": "leaf"}
    for depth in range(200):
        data = {"label": f"level {depth}", "children": [data]}
    assert len(graph_from_json({"nodes": [data]}, diagram_type="mindmap").nodes) == 201


def test_a_mind_map_has_one_root_and_no_circles() -> None:
    data = {
        "title": "Plan",
        "nodes": ["a", "b", "c", "d"],
        "edges": [["a", "b"], ["b", "a"], ["c", "b"], ["c", "d"]],
    }
    graph = graph_from_json(data, diagram_type="mindmap")
    assert sorted(ends(graph)) == [("Plan", "a"), ("Plan", "c"), ("a", "b"), ("c", "d")]
    assert "A mind map has one root: Plan." in graph.mended


def test_points_on_a_scale_of_ten_are_brought_to_one() -> None:
    points = [{"label": "A", "x": 2, "y": 10}, {"label": "B", "x": "5", "y": 0}, {"label": "C", "x": 1}]
    graph = graph_from_json({"points": points}, diagram_type="quadrant")
    assert [(node.x, node.y) for node in graph.nodes] == [(0.2, 1.0), (0.5, 0.0)]


def test_slices_need_a_value() -> None:
    slices = [{"label": "A", "value": "60 %"}, {"label": "B"}, {"label": "C", "value": -1}]
    graph = graph_from_json({"slices": slices}, diagram_type="pie")
    assert [(node.label, node.value) for node in graph.nodes] == [("A", 60.0)]


def test_members_are_read_as_text_and_as_objects() -> None:
    members = [
        "+id: int",
        {"name": "name", "type": "string", "visibility": "private"},
        {"name": "k", "key": "pk"},
    ]
    graph = graph_from_json({"classes": [{"name": "User", "attributes": members}]}, diagram_type="class")
    assert graph.nodes[0].members == ("+id: int", "-name: string", "k PK")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "The graph has no nodes"),
        ({"nodes": []}, "The graph has no nodes"),
        ({"nodes": [{"id": ""}], "edges": []}, "The graph has no nodes"),
        ({"nodes": None, "edges": "x"}, "The graph has no nodes"),
        ({"diagram_type": "poem", "nodes": ["a"]}, "diagram_type must be one of"),
        ({"diagram_type": "pie", "nodes": ["a"]}, "A pie chart needs a positive number"),
        ({"diagram_type": "quadrant", "nodes": ["a"]}, "A quadrant chart needs nodes with numbers"),
        (
            {"nodes": [f"n{index}" for index in range(MAX_NODES + 1)]},
            "The graph has 251 nodes: give at most 250",
        ),
        (
            {"nodes": [f"n{index}" for index in range(9_999)]},
            "The graph has too many nodes: give at most 250",
        ),
        (
            {"nodes": ["a"], "edges": [["a", f"n{index}"] for index in range(9_999)]},
            "The graph has too many edges",
        ),
        ([], "Answer with one JSON object"),
        ("text", "Answer with one JSON object"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_a_sentence(data: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}.*\\.$"):
        graph_from_json(data)


@settings(max_examples=150, deadline=None)
@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    ["nodes", "edges", "id", "label", "from", "to", "groups", "children", "members", "title"]
                )
                | st.text(max_size=4),
                inner,
                max_size=5,
            )
        ),
        max_leaves=25,
    ),
    diagram_type=st.sampled_from(DIAGRAM_TYPES),
)
def test_any_json_gives_a_graph_or_a_sentence(data: Any, diagram_type: str) -> None:
    try:
        graph = graph_from_json(data, diagram_type=diagram_type)
    except ValueError:
        return
    assert graph.diagram_type == diagram_type


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**63), diagram_type=st.sampled_from(DIAGRAM_TYPES))
def test_a_graph_reads_its_own_json_back(seed: int, diagram_type: str) -> None:
    try:
        graph = graph_from_json(random_graph(Random(seed), diagram_type))
    except ValueError:
        return
    again = graph_from_json(json.loads(json.dumps(graph.to_json())))
    assert (again.nodes, again.edges, again.groups) == (graph.nodes, graph.edges, graph.groups)


def test_ids_are_readable_valid_and_give_themselves() -> None:
    for text in (*HOSTILE, "User service", "日本", "9 lives", "x" * 99):
        identifier = identifier_from(text)
        assert is_identifier(identifier)
        assert identifier_from(identifier) == identifier
    assert identifier_from("User service") == "User_service"
    assert identifier_from("naïve café") == "naive_cafe"
    assert identifier_from("end") == "end_"


def test_texts_that_would_share_an_id_are_told_apart_in_any_order() -> None:
    forward, backward = assign_identifiers(["a b", "a-b", "a_b"]), assign_identifiers(["a_b", "a-b", "a b"])
    assert forward == backward
    assert forward["a_b"] == "a_b"
    assert len(set(forward.values())) == 3


@pytest.mark.parametrize(
    "parts",
    [
        {"nodes": ()},
        {"nodes": (Node("end", "End"),)},
        {"nodes": (Node("a b", "A"),)},
        {"nodes": (Node("a", "A"), Node("a", "B"))},
        {"nodes": (Node("a", "A"),), "edges": (Edge("a", "b"),)},
        {"nodes": (Node("a", "A", group="g"),)},
        {"nodes": (Node("a", "A", value=float("nan")),)},
        {"nodes": (Node("a", "A"),), "direction": "sideways"},
        {"nodes": (Node("a", "A"),), "groups": (Group("g", "G", parent="g"),)},
        {"nodes": (Node("a", "A"),), "diagram_type": "poem"},
    ],
)
def test_a_graph_that_could_not_be_drawn_cannot_be_made(parts: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        Graph(**{"diagram_type": "flowchart", **parts})


def test_the_schema_is_one_that_strict_structured_outputs_take() -> None:
    def check(schema: dict[str, Any]) -> None:
        if schema.get("type") == "object":
            assert schema["additionalProperties"] is False
            assert schema["required"] == list(schema["properties"])
            for inner in schema["properties"].values():
                check(inner)
        if "items" in schema:
            check(schema["items"])

    check(GRAPH_SCHEMA)
    assert len(json.dumps(GRAPH_SCHEMA)) < 4_000
    assert set(GRAPH_SCHEMA["properties"]) | {"mended"} == set(Graph("pie", (Node("a", "A"),)).to_json())


def test_an_id_that_looks_like_one_of_ours_is_told_apart_from_the_one_that_is() -> None:
    long = "a long text that becomes an id which had to be cut " * 3
    ours = assign_identifiers([long])[long]
    given = assign_identifiers([ours, long])
    assert given[ours] == ours
    assert len(set(given.values())) == 2
    assert all(is_identifier(identifier) for identifier in given.values())
