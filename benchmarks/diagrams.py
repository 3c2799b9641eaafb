"""Diagrams: what share Mermaid's own parser accepts, compiled from graphs with hostile labels.

Each graph is what a model could send: clashing ids, edges to nowhere, labels that try to break out. The
baseline writes the same labels into the same lines as they are, as one gets by passing a model's words on.
Printed for each type: graphs, those refused with a reason, the share of accepted diagrams, dangerous
constructs found in them, and the baseline's. Then the share of other projects' diagrams that are read back.

    python -m benchmarks.diagrams [GRAPHS]    # default: 5000, over all types
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from shared.text.mermaid import DIAGRAM_TYPES, Graph, compile_mermaid, graph_from_json, graph_from_mermaid
from tests.mermaid_graphs import DANGEROUS, HOSTILE, random_graph
from tests.mermaid_parser import MermaidParser

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "mermaid" / "diagrams.jsonl"
GRAPHS = 5_000
DRAWN_TYPES = {
    "flowchart-v2": "flowchart",
    "flowchart-elk": "flowchart",
    "sequence": "sequence",
    "classDiagram": "class",
    "stateDiagram": "state",
    "er": "er",
    "mindmap": "mindmap",
    "timeline": "timeline",
    "gantt": "gantt",
    "pie": "pie",
    "quadrantChart": "quadrant",
}


@dataclass(slots=True)
class Tally:
    graphs: int = 0
    refused: int = 0
    accepted: int = 0
    dangerous: int = 0
    naive_accepted: int = 0
    naive_dangerous: int = 0
    seconds: float = 0.0  # of making and compiling the graphs

    def row(self, name: str) -> str:
        drawn = max(self.graphs - self.refused, 1)
        return (
            f"{name:<10} {self.graphs:>6} {self.refused:>8} {self.accepted / drawn:>9.2%}"
            f" {self.dangerous:>10} {self.naive_accepted / drawn:>15.2%} {self.naive_dangerous:>16}"
            f" {self.seconds / drawn * 1e3:>7.2f}"
        )


def generated(diagram_type: str, count: int) -> Iterator[dict[str, Any]]:
    return (random_graph(Random(f"{diagram_type} {number}"), diagram_type) for number in range(count))


def measure(parser: MermaidParser, graphs: Iterable[dict[str, Any]]) -> Tally:
    tally = Tally()
    for data in graphs:
        tally.graphs += 1
        started = time.process_time()
        try:
            graph = graph_from_json(data)
        except ValueError:
            tally.refused += 1
            continue
        text = compile_mermaid(graph)
        tally.seconds += time.process_time() - started
        tally.accepted += parser.parse(text).valid
        tally.dangerous += DANGEROUS.search(text) is not None
        naive = naive_text(graph, data)
        tally.naive_accepted += parser.parse(naive).valid
        tally.naive_dangerous += DANGEROUS.search(naive) is not None
    return tally


def hostile(diagram_type: str) -> Iterator[dict[str, Any]]:
    """A graph for each text that tries to break out: in its title, ids, labels, members, groups and edges."""
    for text in HOSTILE:
        nodes = [
            {"id": number + text, "label": text, "members": [text], "value": 1, "x": 0.5, "y": 0.5}
            for number in ("", "1")
        ]
        edges = [{"from": text, "to": f"1{text}", "label": text}]
        groups = [{"id": text, "label": text, "nodes": [text]}]
        yield {
            "diagram_type": diagram_type, "title": text, "nodes": nodes, "edges": edges, "groups": groups,
        }  # fmt: skip


def naive_text(graph: Graph, data: dict[str, Any]) -> str:
    """The labels as the model wrote them, in the lines that Mermaid's documentation shows."""
    labels = [node["label"] or node["id"] or "" for node in data["nodes"]]
    arrows = [(edge.source, edge.target, edge.label) for edge in graph.edges]
    ids = [f"n{number}" for number in range(len(labels))]
    match graph.diagram_type:
        case "flowchart":
            lines = ["flowchart TB", *(f"{i}[{label}]" for i, label in zip(ids, labels, strict=True))]
            lines += [
                f"{source} -->|{label}| {target}" if label else f"{source} --> {target}"
                for source, target, label in arrows
            ]
        case "sequence":
            lines = [
                "sequenceDiagram",
                *(f"participant {i} as {label}" for i, label in zip(ids, labels, strict=True)),
            ]
            lines += [f"{source}->>{target}: {label}" for source, target, label in arrows]
        case "class":
            lines = ["classDiagram", *(f'class {i}["{label}"]' for i, label in zip(ids, labels, strict=True))]
            lines += [f"{source} --> {target} : {label}" for source, target, label in arrows]
        case "state":
            lines = ["stateDiagram-v2", *(f"{i} : {label}" for i, label in zip(ids, labels, strict=True))]
            lines += [f"{source} --> {target} : {label}" for source, target, label in arrows]
        case "er":
            lines = ["erDiagram", *(f'{i}["{label}"]' for i, label in zip(ids, labels, strict=True))]
            lines += [f'{source} ||--o{{ {target} : "{label}"' for source, target, label in arrows]
        case "mindmap":
            lines = ["mindmap", "  root", *(f"    {label}" for label in labels)]
        case "timeline":
            lines = ["timeline", *(f"{label} : event" for label in labels)]
        case "gantt":
            lines = ["gantt", "dateFormat YYYY-MM-DD", *(f"{label} : 2024-01-01, 1d" for label in labels)]
        case "pie":
            lines = ["pie", *(f'"{label}" : 1' for label in labels)]
        case _:
            lines = ["quadrantChart", *(f'"{label}": [0.5, 0.5]' for label in labels)]
    return "\n".join(lines) + "\n"


def read_back(parser: MermaidParser) -> list[str]:
    """Diagrams of other projects that Mermaid accepts: read into graphs, and accepted compiled anew."""
    total: Counter[str] = Counter()
    read: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    for line in DATA.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        name = DRAWN_TYPES.get(record["diagram_type"])
        if name is None or not record["valid"]:
            continue
        total[name] += 1
        try:
            text = compile_mermaid(graph_from_mermaid(record["code"]))
        except ValueError:
            continue
        read[name] += 1
        accepted[name] += parser.parse(text).valid
    return [f"{name:<10} {total[name]:>6} {read[name]:>6} {accepted[name]:>9}" for name in DIAGRAM_TYPES]


def main(arguments: list[str]) -> int:
    """The exit code: 1 when a compiled diagram was not accepted or had a dangerous construct in it."""
    each = -(-int(arguments[0] if arguments else GRAPHS) // len(DIAGRAM_TYPES))
    parser = MermaidParser()
    print("type       graphs  refused  accepted  dangerous  naive accepted  naive dangerous  ms CPU")
    tallies: dict[str, Tally] = {}
    every = (graph for name in DIAGRAM_TYPES for graph in hostile(name))
    for name, graphs in (("hostile", every), *((name, generated(name, each)) for name in DIAGRAM_TYPES)):
        tallies[name] = measure(parser, graphs)
        print(tallies[name].row(name), flush=True)
    fields = ("graphs", "refused", "accepted", "dangerous", "naive_accepted", "naive_dangerous", "seconds")
    total = Tally(*(sum(getattr(tally, field) for tally in tallies.values()) for field in fields))
    print(total.row("all"))
    if DATA.exists():
        print("\nother projects' diagrams that Mermaid accepts: all, read back, accepted when compiled anew")
        print("\n".join(read_back(parser)))
    else:
        print(f"\nno {DATA}: diagrams of other projects are not read back")
    return 0 if total.accepted == total.graphs - total.refused and total.dangerous == 0 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
