"""What `make` and the lock files promise, as far as it can be seen without a network."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
OWN_NAME = "marginalia"

_ENTRY = re.compile(
    r"^(?P<requirement>[a-z0-9][^\\\n]*?)\s*\\\n(?P<hashes>(?:\s+--hash=sha256:[0-9a-f]{64}[ \\]*\n)+)", re.M
)


def entries(lock: str) -> list[Requirement]:
    return [Requirement(found["requirement"]) for found in _ENTRY.finditer((ROOT / lock).read_text())]


def pinned(lock: str, **environment: str) -> dict[str, str]:
    """Versions by name, on a platform described by PEP 508 variables."""
    return {
        canonicalize_name(entry.name): next(iter(entry.specifier)).version
        for entry in entries(lock)
        if entry.marker is None or entry.marker.evaluate(environment)
    }


def declared(*, dev: bool) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    return [Requirement(name) for name in (*names, *(project["dependency-groups"]["dev"] if dev else ()))]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_the_lock_is_an_exact_version_with_hashes_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    bare = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(entries(lock)) == len(bare) > 40
    assert all(str(entry.specifier).startswith("==") for entry in entries(lock))
    assert "://" not in text
    assert "-index" not in text


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize(("lock", "dev"), list(zip(LOCKS, (False, True), strict=True)))
def test_the_lock_is_in_step_with_pyproject_on_each_supported_python(
    lock: str, dev: bool, platform: str, python: str
) -> None:
    found = pinned(lock, python_version=python, python_full_version=f"{python}.1", sys_platform=platform)
    for requirement in declared(dev=dev):
        version = found.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement} is not locked; run `make lock`"
        assert requirement.specifier.contains(version), (
            f"{requirement} is locked at {version}; run `make lock`"
        )


@pytest.mark.parametrize("python", PYTHONS)
def test_tests_run_with_the_versions_that_are_installed_to_serve(python: str) -> None:
    run, dev = (pinned(lock, python_version=python, python_full_version=f"{python}.1") for lock in LOCKS)
    assert run.items() <= dev.items()


def test_the_lock_holds_all_that_the_locked_packages_need() -> None:
    locked = pinned("requirements-dev.lock")
    for name in locked:
        for needed in map(Requirement, metadata.requires(name) or ()):
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in locked, f"{needed} of {name} is not locked"


def test_what_is_installed_is_what_is_locked() -> None:
    differing = {
        name: (metadata.version(name), version)
        for name, version in pinned("requirements-dev.lock").items()
        if metadata.version(name) != version
    }
    assert not differing, "run `make test`, which installs the locked versions"


@pytest.mark.parametrize("script", ["scripts/install", "scripts/lock", ".ci/run"])
def test_the_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


def old_python(folder: Path) -> Path:
    """A Python that is too old: it knows its version and nothing of what it is asked to run."""
    path = folder / "python3"
    path.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.6" && exit 0\nexit 1\n')
    path.chmod(0o755)
    return path


def install(folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    (folder / "scripts").mkdir()
    script = folder / "scripts" / "install"
    script.write_text((ROOT / "scripts" / "install").read_text())
    return subprocess.run(
        ["/bin/sh", script, "run"], env=environ, capture_output=True, text=True, timeout=30, check=False
    )


def test_a_python_that_is_too_old_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    done = install(tmp_path, PATH="/usr/bin:/bin", PYTHON=str(old_python(tmp_path)))
    assert done.returncode == 1
    assert "is Python 3.9.6; Marginalia needs Python 3.11 to 3.14." in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_python_that_is_not_there_is_refused_by_its_name(tmp_path: Path) -> None:
    done = install(tmp_path, PATH="/usr/bin:/bin", PYTHON="python-of-nobody")
    assert done.returncode == 1
    assert done.stderr == "PYTHON=python-of-nobody is not there; Marginalia needs Python 3.11 to 3.14.\n"


def test_the_makefile_takes_nothing_but_what_is_installed() -> None:
    text = (ROOT / "Makefile").read_text()
    assert {"run", "test", "check", "bench"} <= set(re.findall(r"^([a-z]+):", text, re.M))
    assert not re.search(r"\b(uv|poetry|pipx|docker)\b", text)
