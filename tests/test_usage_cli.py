"""`marginalia usage` in all its forms, on an embedded database, each in a process of its own."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shared.types import Attempt, Cause, Outcome
from tests.cli_process import marginalia
from tests.test_cli_database import attempt, record

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "=HYPERLINK(\"http://x\")</text><script>alert('&')</script>"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one provider that failed once and another that stood in for it, and one with an odd model."""
    folder = tmp_path_factory.mktemp("usage") / "data"
    record(folder, *rows())
    return folder


def rows() -> list[Attempt]:
    together, openai = attempt("together", Decimal("0.001")), attempt("openai", Decimal("0.010"))
    return [
        together,
        replace(together, attempt_id=other(1), request_id="r2", outcome=Outcome.SERVER_ERROR),
        replace(openai, request_id="r2", cause=Cause.FALLBACK),
        replace(attempt("local", None), model=HOSTILE),
    ]


def other(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def usage(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return marginalia("usage", *arguments, data_dir=data_dir)


def test_the_table_ends_in_the_total(data_dir: Path) -> None:
    done = usage(data_dir, "--group-by", "provider")
    *_, together, total = done.stdout.splitlines()
    assert (done.returncode, together.split()[:4]) == (0, ["together", "2", "1", "0"])
    assert total.split()[:4] == ["total", "4", "1", "1"]
    assert "0.012000 + ?" in total


def test_json_is_what_the_endpoint_gives(data_dir: Path) -> None:
    report = json.loads(usage(data_dir, "--json", "--since", "90m").stdout)
    assert (report["time_range"], report["since_seconds"]) == ("90m", 5400)
    assert report["group_by"] == ["task", "provider", "model"]
    assert (report["total"]["calls"], report["total"]["fallback_share"]) == (4, 1 / 2)
    assert len(report["rows"]) == 3


def test_csv_has_a_line_of_names_and_no_formula(data_dir: Path) -> None:
    done = usage(data_dir, "--csv")
    local, openai, together = csv.DictReader(io.StringIO(done.stdout))
    assert done.returncode == 0
    assert (together["provider"], together["calls"], together["cost_usd"]) == ("together", "2", "0.002")
    assert (openai["first_token_ms_p50"], openai["failure_share"]) == ("40.0", "0.0")
    assert (local["cost_usd"], local["unknown_costs"]) == ("", "1")
    assert local["model"] == "'" + HOSTILE


def test_csv_of_nothing_is_its_line_of_names(data_dir: Path) -> None:
    done = usage(data_dir, "--csv", "--since", "1s", "--group-by", "day")
    assert done.stdout.startswith("day,calls,failures,")
    assert done.stdout.count("\n") == 1


def test_a_chart_is_drawn_beside_what_is_printed(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.svg"
    done = usage(data_dir, "--chart", str(file), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["total"]["calls"] == 4
    root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert root.tag == f"{SVG}svg"
    assert {"Cost by day", "Cost by task", "Time to first token", "Share of fallbacks by day"} <= {*texts}
    assert {"together", "openai", "local", "qa, openai"} <= {*texts}


@pytest.mark.parametrize("name", ["out.png", "nowhere/out.svg"])
def test_a_chart_that_cannot_be_written_is_one_line(data_dir: Path, tmp_path: Path, name: str) -> None:
    done = usage(data_dir, "--chart", str(tmp_path / name))
    assert done.returncode in (1, 2)
    assert "--chart" in done.stderr
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / name).exists()


def test_two_providers_stand_side_by_side_on_the_same_task(data_dir: Path) -> None:
    done = usage(data_dir, "--compare", "together", "openai")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert lines[0] == ["task", "together", "openai"]
    assert lines[2] == ["qa", "calls", "2", "1"]
    assert ["failed", "50.0%", "(1)", "0.0%", "(0)"] in lines
    assert ["$", "a", "thousand", "calls", "1.0000", "10.0000"] in lines
    assert "40 / 40" in done.stdout


def test_a_comparison_is_there_for_scripts_too(data_dir: Path) -> None:
    report = json.loads(usage(data_dir, "--compare", "together", "openai", "--json").stdout)
    (task,) = report["tasks"]
    assert (report["providers"], task["task"]) == (["together", "openai"], "qa")
    assert (task["together"]["failure_share"], task["openai"]["cost_usd"]) == (0.5, 0.01)
    lines = usage(data_dir, "--compare", "together", "openai", "--csv").stdout.splitlines()
    assert [line.split(",")[:3] for line in lines[1:]] == [["qa", "openai", "1"], ["qa", "together", "2"]]


def test_a_comparison_with_nothing_to_compare_says_so(data_dir: Path) -> None:
    one = usage(data_dir, "--compare", "together", "groq")
    assert (one.returncode, one.stdout.splitlines()[-1]) == (
        0,
        "Nothing was asked of groq in the last 24h.",
    )
    none = usage(data_dir, "--compare", "cerebras", "groq", "--since", "7d")
    assert none.stdout == "Nothing was asked of cerebras or groq in the last 7d.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--compare", "together", "oracle"), "--compare: found 'oracle'; known are together, openai"),
        (("--compare", "openai", "openai"), "--compare: found openai twice"),
        (("--compare", "together"), "'--compare' requires 2 arguments"),
        (("--compare", "together", "openai", "--chart", "x.svg"), "--compare and --chart: choose one"),
        (("--csv", "--json"), "--csv and --json: choose one"),
        (("--since", "4x"), "--since is '4x'; allowed is a number with s, m, h, d or w"),
        (("--since", "999999w"), "at most 3660d"),
        (("--group-by", "task,colour"), "--group-by holds 'colour'; allowed are task, provider"),
    ],
)
def test_wrong_use_names_the_option_what_was_found_and_what_is_allowed(
    data_dir: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = usage(data_dir, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
