"""Digests of files and folders, and when a remembered one may be believed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.digests import (
    CLOCK_TICK_NS,
    Digests,
    digest_bytes,
    digest_file,
    digest_names,
    folder_files,
    write_atomically,
)
from workbench.errors import StoreError


@pytest.fixture
def digests(tmp_path: Path) -> Digests:
    return Digests(tmp_path, tmp_path / "memory" / "digests.json")


def settle() -> None:
    """Let the clock go on so far that a file written before may be remembered."""
    time.sleep(2 * CLOCK_TICK_NS / 1e9)


def remembered(folder: Path) -> dict[str, object]:
    file = folder / "memory" / "digests.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def test_a_files_digest_is_its_sha256(digests: Digests, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    expected = hashlib.sha256(b"abc").hexdigest()
    assert digests.file(tmp_path / "a") == digest_file(tmp_path / "a") == digest_bytes(b"abc") == expected


def test_content_changed_with_size_and_time_put_back_is_noticed(digests: Digests, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("abc")
    settle()
    before, status = digests.file(file), file.stat()
    file.write_text("abd")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert file.stat().st_mtime_ns == status.st_mtime_ns
    assert digests.file(file) != before


def test_an_unchanged_file_is_not_read_again(digests: Digests, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("abc")
    settle()
    digests.file(file)
    digests.save()
    memory = remembered(tmp_path)
    (tmp_path / "memory" / "digests.json").write_text(
        json.dumps({key: [value[0], "told"] for key, value in memory.items()})
    )  # type: ignore[index]
    assert Digests(tmp_path, tmp_path / "memory" / "digests.json").file(file) == "told"


def test_a_file_changed_just_now_is_not_remembered(digests: Digests, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("abc")
    digests.file(tmp_path / "a")
    digests.save()
    assert remembered(tmp_path) == {}


def test_the_memory_moves_with_the_project(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    (old / "a").write_text("abc")
    settle()
    digests = Digests(old, old / "memory" / "digests.json")
    digest = digests.file(old / "a")
    digests.save()
    before = (old / "memory" / "digests.json").read_text()
    old.rename(new)
    moved = Digests(new, new / "memory" / "digests.json")
    assert moved.file(new / "a") == digest
    (new / "memory" / "digests.json").unlink()
    moved.save()
    assert not (new / "memory" / "digests.json").exists(), "nothing new was learned, so nothing was read"
    assert list(json.loads(before)) == ["a"]


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "3", "null", '{"a": 5}', '{"a": [1]}', '{"a": null}', "[" * 100_000]
)
def test_a_damaged_memory_only_costs_time(tmp_path: Path, content: str) -> None:
    (tmp_path / "digests.json").write_text(content)
    (tmp_path / "a").write_text("abc")
    assert Digests(tmp_path, tmp_path / "digests.json").file(tmp_path / "a") == digest_bytes(b"abc")


def test_a_memory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    digests = Digests(tmp_path, tmp_path / "file" / "digests.json")
    digests.remember(tmp_path / "file", "told")
    digests.save()
    assert digests.file(tmp_path / "file") == "told"


def test_what_cannot_be_read_is_an_error(digests: Digests, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digests.file(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        digest_file(tmp_path / "nowhere")
    (tmp_path / "a").touch()
    with pytest.raises(FileNotFoundError):
        digests.file(tmp_path / "a" / "b")
    with pytest.raises(StoreError, match="cannot read"):
        digest_file(tmp_path)
    with pytest.raises(StoreError, match="cannot read"):
        digests.file(tmp_path / ("x" * 300))


def test_a_pipe_is_refused_rather_than_waited_for(digests: Digests, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="it is no file"):
        digests.path(tmp_path / "pipe")


NAMES = st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=6)


@given(st.dictionaries(NAMES, st.sampled_from("ab")), st.dictionaries(NAMES, st.sampled_from("ab")))
def test_two_folders_are_equal_if_names_and_contents_are(one: dict[str, str], other: dict[str, str]) -> None:
    def digest(files: dict[str, str]) -> str:
        return digest_names({name: digest_bytes(content.encode()) for name, content in files.items()})

    assert (digest(one) == digest(other)) == (one == other)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "a").write_text("1")
    (folder / "inner" / "b").write_text("2")
    return folder


@pytest.mark.parametrize("change", ["content", "rename", "add", "remove", "move"])
def test_a_folders_digest_changes_with_content_and_names(digests: Digests, folder: Path, change: str) -> None:
    before = digests.path(folder)
    match change:
        case "content":
            (folder / "inner" / "b").write_text("3")
        case "rename":
            (folder / "a").rename(folder / "c")
        case "add":
            (folder / "c").touch()
        case "remove":
            (folder / "a").unlink()
        case "move":
            (folder / "inner" / "b").rename(folder / "b")
    assert digests.path(folder) != before


@pytest.mark.parametrize("change", ["touch", "empty folder", "mode", "rename itself"])
def test_a_folders_digest_stays_otherwise(digests: Digests, folder: Path, change: str) -> None:
    before = digests.path(folder)
    match change:
        case "touch":
            os.utime(folder / "a")
        case "empty folder":
            (folder / "empty").mkdir()
        case "mode":
            (folder / "a").chmod(0o400)
        case "rename itself":
            folder = folder.rename(folder.parent / "renamed")
    assert digests.path(folder) == before


def test_links_are_followed_but_not_in_circles(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "c").touch()
    (folder / "link").symlink_to(outside)
    (folder / "up").symlink_to(folder)
    (folder / "broken").symlink_to("nowhere")
    assert [name for name, _ in folder_files(folder)] == ["a", "inner/b", "link/c"]


def test_a_name_that_is_no_text(digests: Digests, folder: Path) -> None:
    before = digests.path(folder)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff")).touch()
    assert digests.path(folder) != before


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        folder_files(tmp_path / "nowhere")


def test_a_reader_sees_the_old_or_the_new(tmp_path: Path) -> None:
    file = tmp_path / "state"
    texts = {letter * 100_000 for letter in "abcd"}
    write_atomically(file, "a" * 100_000)
    done = threading.Event()

    def write(text: str) -> None:
        while not done.is_set():
            write_atomically(file, text)

    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    try:
        assert all(file.read_text() in texts for _ in range(200))
    finally:
        done.set()
        for writer in writers:
            writer.join()
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "state", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_half_a_character_is_escaped(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.json", json.dumps("\ud800 ü", ensure_ascii=False))
    assert json.loads((tmp_path / "a.json").read_text()) == "\ud800 ü"


def test_processes_may_write_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from workbench.digests import write_atomically\n"
        "for n in range(200): write_atomically(Path(sys.argv[1]), sys.argv[2] * 1000)"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "state"), letter]) for letter in "ab"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert (tmp_path / "state").read_text() in ("a" * 1000, "b" * 1000)
