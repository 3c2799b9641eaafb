"""`marginalia index` and `marginalia ask`, on one embedded database and without any key."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from shared.commands.ask import line_range
from tests.cli_process import marginalia

HARBOUR = """# The harbour

## Opening hours

The harbour office opens at seven in the morning and closes at nine in the evening.

## Berths

A berth for a sailing boat costs forty crowns a night. Motor boats pay sixty crowns.
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("index") / "data"


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with good files and with one of each that cannot be a document."""
    folder = tmp_path_factory.mktemp("files") / "town"
    (folder / "plans").mkdir(parents=True)
    (folder / "harbour.md").write_text(HARBOUR)
    (folder / "plans" / "ferry.ts").write_text("/** Minutes to the island. */\nexport const minutes = 25;\n")
    (folder / "plans" / "fees.json").write_text('{"ferry": {"adult": 30, "child": 15}}')
    (folder / "latin1.md").write_bytes("# Café".encode("latin-1"))
    (folder / "huge.md").write_bytes(b"a" * (2 * 1024 * 1024 + 1))
    (folder / "broken.json").write_text('{"a": ')
    (folder / "photo.jpg").write_bytes(b"\xff\xd8")
    return folder


def report(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, int]]:
    return json.loads(done.stdout)


def test_indexing_takes_what_is_good_names_what_is_not_and_exits_with_1(data_dir: Path, town: Path) -> None:
    done = marginalia("index", town, "--json", data_dir=data_dir)
    found = report(done)
    assert done.returncode == 1
    assert found["files"] == {"found": 6, "indexed": 3, "unchanged": 0, "failed": 3}
    assert found["chunks"]["embedded"] == found["chunks"]["total"] >= 3
    assert found["without_vectors"] == 0
    reasons = {Path(failure["path"]).name: failure["reason"] for failure in found["failures"]}
    assert reasons.keys() == {"latin1.md", "huge.md", "broken.json"}
    assert reasons["latin1.md"] == "is not UTF-8 (byte 5)"
    assert f"failed: {town / 'huge.md'} is larger than 2 MiB\n" in done.stderr
    assert re.search(r"^6/6 files, \d+ chunks, \d+ tokens, ", done.stderr, re.M)


def test_a_second_run_leaves_unchanged_documents_alone(data_dir: Path, town: Path) -> None:
    done = marginalia("index", town / "harbour.md", "--json", data_dir=data_dir)
    assert done.returncode == 0
    assert report(done)["files"] == {"found": 1, "indexed": 0, "unchanged": 1, "failed": 0}
    assert report(done)["chunks"] == {"total": 0, "embedded": 0, "reused": 0, "removed": 0}


def test_only_what_was_edited_is_indexed_again(data_dir: Path, town: Path) -> None:
    (town / "harbour.md").write_text(HARBOUR.replace("forty", "fifty"))
    done = marginalia("index", town, data_dir=data_dir)
    assert re.search(r"^Files: +1 indexed, 2 unchanged, 3 failed, in ", done.stdout, re.M)


def test_a_question_is_answered_with_citations_that_stand_in_the_file(data_dir: Path, town: Path) -> None:
    question = "What does a berth for a sailing boat cost?"
    done = marginalia("ask", question, "--json", data_dir=data_dir)
    answer = json.loads(done.stdout)
    assert done.returncode == 0
    assert answer["abstained"] is False
    assert answer["meta"]["degraded"] is True
    content = (town / "harbour.md").read_text()
    citation = answer["citations"][0]
    position = citation["anchor"]["position"]
    assert citation["document_id"] == "town/harbour.md"
    assert content[position["start"] : position["end"]] == citation["anchor"]["quote"]["exact"]
    assert "fifty crowns" in citation["anchor"]["quote"]["exact"]

    shown = marginalia("ask", question, data_dir=data_dir).stdout
    assert re.search(r"^\[1\] The harbour \(town/harbour\.md, lines? 9\S*, verified\)$", shown, re.M)
    assert "Answered without a model, from the documents' own words." in shown


def test_a_question_that_the_documents_do_not_answer_is_no_failure(data_dir: Path) -> None:
    done = marginalia("ask", "Who painted the zebra xylophone?", "--json", data_dir=data_dir)
    assert done.returncode == 0
    assert json.loads(done.stdout)["abstained"] is True


def test_only_the_named_documents_are_asked(data_dir: Path) -> None:
    question = "What does a berth for a sailing boat cost?"
    done = marginalia("ask", question, "--document", "town/plans/fees.json", "--json", data_dir=data_dir)
    assert done.returncode == 0, done.stderr
    cited = {citation["document_id"] for citation in json.loads(done.stdout)["citations"]}
    assert cited <= {"town/plans/fees.json"}


def test_an_unknown_document_is_one_line_and_exit_code_1(data_dir: Path) -> None:
    done = marginalia("ask", "why?", "-d", "nowhere.md", data_dir=data_dir)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "marginalia: No such document\n")


def test_asking_with_offline_answers_switched_off_says_which_key_is_missing(data_dir: Path) -> None:
    done = marginalia("ask", "What does a berth cost?", data_dir=data_dir, AI_OFFLINE="never")
    assert done.returncode == 1
    assert done.stderr.startswith("marginalia: ")
    assert "OPENAI_API_KEY or TOGETHER_API_KEY" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "start", "end", "lines"),
    [
        ("one\ntwo\nthree", 0, 3, "line 1"),
        ("one\ntwo\nthree", 4, 13, "lines 2-3"),
        ("one\ntwo\nthree", 0, 4, "line 1"),
        ("🦀🦀\ncrab", 5, 9, "line 2"),
        ("one", 3, 3, "line 1"),
    ],
)
def test_lines_are_counted_from_1_and_positions_in_utf16_units(
    content: str, start: int, end: int, lines: str
) -> None:
    assert line_range(content, start, end) == lines
