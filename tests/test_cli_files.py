"""Which files become documents, what each is called, and why some do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.commands.files import MAX_BYTES, SourceFile, UnreadableFile, find_files, read_file
from shared.commands.samples import samples_dir
from shared.commands.terminal import plain
from shared.types import DocumentKind


def write(path: Path, content: bytes | str = "# A\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def source(path: Path, kind: DocumentKind = DocumentKind.MARKDOWN) -> SourceFile:
    return SourceFile(path, path.name, kind)


def ids(*paths: Path) -> list[str]:
    return [file.document_id for file in find_files(paths).files]


def test_ids_are_paths_from_the_folder_on_and_kinds_follow_the_names(tmp_path: Path) -> None:
    book = tmp_path / "book"
    for name in ("b.markdown", "A.MD", "code/x.ts", "code/y.tsx", "data/z.json", "image.png", "README"):
        write(book / name)
    assert [(file.document_id, file.kind.value) for file in find_files([book]).files] == [
        ("book/A.MD", "markdown"),
        ("book/b.markdown", "markdown"),
        ("book/code/x.ts", "typescript"),
        ("book/code/y.tsx", "typescript"),
        ("book/data/z.json", "json"),
    ]


def test_a_file_has_the_same_id_alone_and_in_its_folder(tmp_path: Path) -> None:
    page = write(tmp_path / "book" / "page.md")
    assert ids(page) == ids(page.parent) == ids(page, page.parent, page) == ["book/page.md"]


def test_a_relative_folder_is_called_by_its_real_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = write(tmp_path / "book" / "page.md")
    monkeypatch.chdir(page.parent)
    assert ids(Path()) == ids(Path("page.md")) == ids(Path("../book")) == ["book/page.md"]


def test_hidden_files_and_node_modules_are_passed_over(tmp_path: Path) -> None:
    book = tmp_path / ".hidden-itself"
    for name in ("page.md", ".draft.md", ".git/config.json", "node_modules/a/README.md", "deep/.cache/x.md"):
        write(book / name)
    assert ids(book) == [".hidden-itself/page.md"]


def test_links_to_folders_are_not_followed_into_a_circle(tmp_path: Path) -> None:
    page = write(tmp_path / "book" / "page.md")
    (page.parent / "again").symlink_to(page.parent, target_is_directory=True)
    assert ids(page.parent) == ["book/page.md"]


def test_two_files_that_would_share_an_id_are_not_mixed_up(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a" / "docs" / "x.md"), write(tmp_path / "b" / "docs" / "x.md")
    found = find_files([first.parent, second.parent])
    assert [file.path for file in found.files] == [first]
    assert found.problems == ((second, f"would have the same id as {first}"),)


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (b"\xff\xfe# A", DocumentKind.MARKDOWN, "is not UTF-8 (byte 0)"),
        (b"# caf\xe9", DocumentKind.MARKDOWN, "is not UTF-8 (byte 5)"),
        (b"a" * (MAX_BYTES + 1), DocumentKind.MARKDOWN, "is larger than 2 MiB"),
        (b"", DocumentKind.MARKDOWN, "is empty"),
        (b"\xef\xbb\xbf \n", DocumentKind.TYPESCRIPT, "is empty"),
        (b"a\0b", DocumentKind.TYPESCRIPT, "is not text: it holds a NUL character"),
        (b"{", DocumentKind.JSON, "is not JSON: "),
        (b"[NaN]", DocumentKind.JSON, "is not JSON: NaN is no JSON value"),
        (b"[" * 100_000, DocumentKind.JSON, "is not JSON: "),
        (b"null", DocumentKind.JSON, "is empty: its JSON is null"),
    ],
)
def test_what_is_no_document_is_refused_with_its_reason(
    tmp_path: Path, content: bytes, kind: DocumentKind, reason: str
) -> None:
    with pytest.raises(UnreadableFile) as refused:
        read_file(source(write(tmp_path / "file", content), kind))
    assert str(refused.value).startswith(reason)


def test_a_file_that_went_away_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="cannot be read: No such file"):
        read_file(source(tmp_path / "gone.md"))


def test_the_largest_file_that_is_taken_is_taken_whole(tmp_path: Path) -> None:
    assert (
        len(read_file(source(write(tmp_path / "a.ts", b"a" * MAX_BYTES), DocumentKind.TYPESCRIPT)).text)
        == MAX_BYTES
    )


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("# The *first* `one`\n\n# Second\n", "The first one"),
        ("\ufeff# After a byte order mark\n", "After a byte order mark"),
        ("Intro.\n\n## [Linked](x.md) heading ##\n", "Linked heading"),
        ("Set so\n======\n", "Set so"),
        ('---\ntitle: x\n---\n\n# After<a name="x"></a> front matter { #after }\n', "After front matter"),
        ("```\n# not a heading\n```\n", "page.md"),
        ("No heading at all.\n", "page.md"),
    ],
)
def test_the_title_is_the_first_heading_else_the_name(tmp_path: Path, content: str, title: str) -> None:
    assert read_file(source(write(tmp_path / "page.md", content))).title == title


def test_typescript_and_json_are_called_by_their_names(tmp_path: Path) -> None:
    assert read_file(source(write(tmp_path / "a.ts", "# x"), DocumentKind.TYPESCRIPT)).title == "a.ts"
    assert read_file(source(write(tmp_path / "a.json", '"# x"'), DocumentKind.JSON)).title == "a.json"


def test_the_samples_are_a_design_a_how_to_a_typescript_and_a_json_file() -> None:
    titles = {file.document_id: read_file(file).title for file in find_files([samples_dir()]).files}
    assert titles == {
        "samples/outbox.ts": "outbox.ts",
        "samples/recover-a-stuck-note.md": "How to recover a note that stopped syncing",
        "samples/sync-limits.json": "sync-limits.json",
        "samples/sync-service-design.md": "Design: the sync service of Quire",
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("line\n\ttab", "line\n\ttab"),
        ("red \x1b[31malert\x1b]0;title\x07", "red [31malert]0;title"),
        ("\x9b31m and \x7f", "31m and "),
        ("user\u202etxt.exe\u2066", "usertxt.exe"),
        ("half \udc80 a pair", "half  a pair"),
        ("naïve 🦀 שלום", "naïve 🦀 שלום"),
    ],
)
def test_text_of_others_reaches_the_terminal_without_what_a_terminal_obeys(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_json_is_stored_as_the_endpoints_store_it(tmp_path: Path) -> None:
    file = write(tmp_path / "a.json", '{"z":1,"ä":[true]}')
    assert read_file(source(file, DocumentKind.JSON)).text == '{\n  "z": 1,\n  "ä": [\n    true\n  ]\n}'
