"""The command line: what needs no database."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli_process import marginalia

COMMANDS = ("serve", "migrate", "index", "ask", "diagram", "check", "usage")
TASKS = ["analysis", "suggestions", "qa", "diagrams"]


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def checked(data_dir: Path, **variables: str) -> tuple[int, dict[str, object]]:
    done = marginalia("check", "--json", data_dir=data_dir, **variables)
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)


def test_the_help_names_every_command_and_the_exit_codes(data_dir: Path) -> None:
    done = marginalia("--help", data_dir=data_dir)
    assert done.returncode == 0
    assert all(f" {command} " in done.stdout for command in COMMANDS)
    assert "0 done, 1 failed, 2 wrong use or a wrong variable" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_its_exit_codes(data_dir: Path, command: str) -> None:
    done = marginalia(command, "--help", data_dir=data_dir)
    assert done.returncode == 0
    assert "Exit codes" in done.stdout


def test_the_version_is_printed(data_dir: Path) -> None:
    assert marginalia("--version", data_dir=data_dir).stdout.split()[0] == "marginalia"


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("serve", "--port", "70000"),
        ("serve", "--workers", "0"),
        ("index",),
        ("index", "not-there"),
        ("check", "--env-file", "not-there"),
        ("usage", "--since", "yesterday"),
        ("usage", "--since", "0h"),
        ("usage", "--group-by", "colour"),
    ],
)
def test_wrong_use_exits_with_2_and_says_why_on_stderr(data_dir: Path, arguments: tuple[str, ...]) -> None:
    done = marginalia(*arguments, data_dir=data_dir)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.strip()
    assert "Traceback" not in done.stderr
    assert not data_dir.exists()


@pytest.mark.parametrize(
    "arguments", [("serve",), ("migrate",), ("index", "."), ("ask", "why?"), ("check",), ("usage",)]
)
def test_a_wrong_variable_is_one_line_with_its_name_and_what_is_allowed(
    data_dir: Path, arguments: tuple[str, ...]
) -> None:
    done = marginalia(*arguments, data_dir=data_dir, AI_OFFLINE="perhaps")
    assert done.returncode == 2
    assert done.stderr == "marginalia: AI_OFFLINE: found 'perhaps'; allowed are fallback, never, only\n"
    assert done.stdout == ""
    assert not data_dir.exists()


def test_serving_others_without_verifying_them_is_refused_before_anything_starts(data_dir: Path) -> None:
    done = marginalia("serve", "--host", "0.0.0.0", data_dir=data_dir)
    assert done.returncode == 2
    assert done.stderr.startswith("marginalia: --host: found '0.0.0.0'")
    assert done.stderr.count("\n") == 1
    assert not data_dir.exists()


def test_check_without_a_key_exits_with_1_and_says_that_answers_would_be_offline(data_dir: Path) -> None:
    code, report = checked(data_dir)
    assert code == 1
    assert report["ready"] is False
    assert [(task["task"], task["answered_by"]) for task in report["tasks"]] == [
        (t, "offline") for t in TASKS
    ]
    assert len(report["problems"]) == len(TASKS)
    assert "OPENAI_API_KEY or TOGETHER_API_KEY" in report["problems"][0]
    assert "answered offline, degraded" in report["problems"][0]


def test_check_is_satisfied_by_the_key_of_the_fallback_and_shows_its_own_model(data_dir: Path) -> None:
    code, report = checked(data_dir, OPENAI_API_KEY="sk-secret")
    assert code == 0
    assert {task["answered_by"] for task in report["tasks"]} == {"openai"}
    first, second = report["tasks"][1]["targets"]
    assert (first["provider"], first["ready"], first["key"]["variable"]) == (
        "together",
        False,
        "TOGETHER_API_KEY",
    )
    assert (second["provider"], second["ready"], second["model"]) == ("openai", True, "gpt-4o-mini")


def test_check_needs_no_key_for_a_local_provider(data_dir: Path) -> None:
    variables = {f"AI_{task.upper()}_PROVIDER": "local" for task in TASKS}
    code, report = checked(data_dir, LOCAL_BASE_URL="http://127.0.0.1:9/v1", **variables)
    assert code == 0
    assert report["tasks"][0]["targets"][0]["host"] == "127.0.0.1:9"


def test_check_fails_for_the_one_task_that_nobody_answers(data_dir: Path) -> None:
    code, report = checked(
        data_dir,
        TOGETHER_API_KEY="k",
        AI_FALLBACK_PROVIDER="none",
        AI_QA_PROVIDER="openai",
        AI_OFFLINE="never",
    )
    assert code == 1
    assert [task["answered_by"] for task in report["tasks"]] == ["together", "together", "nobody", "together"]
    assert report["problems"] == [
        "qa: no provider can be called (set OPENAI_API_KEY); its requests end in 503 not_configured"
    ]


def test_check_is_content_without_providers_where_none_are_wanted(data_dir: Path) -> None:
    code, report = checked(data_dir, AI_OFFLINE="only", OPENAI_API_KEY="sk-secret")
    assert code == 0
    assert {task["answered_by"] for task in report["tasks"]} == {"offline"}
    assert all(task["targets"] == [] for task in report["tasks"])


def test_check_shows_a_table_for_people(data_dir: Path) -> None:
    done = marginalia("check", data_dir=data_dir, OPENAI_API_KEY="sk-secret")
    assert done.returncode == 0
    assert re.search(
        r"analysis +together +meta-llama/\S+ +api.together.xyz +missing +TOGETHER_API_KEY", done.stdout
    )
    assert re.search(r"\n +openai +gpt-4o +api.openai.com +there +OPENAI_API_KEY", done.stdout)
    assert "Every task has somebody to answer it." in done.stdout


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_check_shows_no_key_and_no_password(data_dir: Path, as_json: tuple[str, ...]) -> None:
    done = marginalia(
        "check",
        *as_json,
        data_dir=data_dir,
        OPENAI_API_KEY="sk-secret",
        TOGETHER_BASE_URL="https://user:sk-secret@proxy.example:8443/v1",
        DATABASE_URL="postgresql://me:sk-secret@db.example:5433/notes?sslmode=require&password=sk-secret",
    )
    assert "proxy.example:8443" in done.stdout
    assert "db.example:5433/notes" in done.stdout
    assert "sk-secret" not in done.stdout + done.stderr


def test_check_reads_an_env_file_instead_of_the_environment(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "production.env"
    file.write_text("# keys\nexport OPENAI_API_KEY='sk-secret'\nAI_FALLBACK_PROVIDER=none\n")
    done = marginalia("check", "--json", "--env-file", file, data_dir=data_dir, TOGETHER_API_KEY="k")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert [target["provider"] for target in report["tasks"][0]["targets"]] == ["together"]
    assert report["tasks"][0]["targets"][0]["key"]["present"] is False


def test_check_names_a_wrong_variable_of_an_env_file(data_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "production.env"
    file.write_text("AI_QA_PROVIDER=oracle\n")
    done = marginalia("check", "--env-file", file, data_dir=data_dir)
    assert done.returncode == 2
    assert done.stderr.startswith("marginalia: AI_QA_PROVIDER: found 'oracle'; allowed are ")


def test_indexing_a_folder_without_documents_says_what_it_looked_for(data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "notes.txt").write_text("not a document")
    done = marginalia("index", folder, data_dir=data_dir)
    assert done.returncode == 1
    assert "no .md, .markdown, .ts, .tsx, .json files in" in done.stderr
    assert not data_dir.exists()
