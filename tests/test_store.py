"""The store: content by digest, manifests by fingerprint, and damage that is only a miss."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.digests import Digests, digest_bytes
from workbench.errors import StepError, StoreError
from workbench.fingerprint import Ingredients
from workbench.pipeline import branch_key
from workbench.store import Manifest, Store, Stored, remove, safe_name

INGREDIENTS = Ingredients(("c",), {"x": 1}, {}, {"out": "o.txt"}, {}, {}, "python3", "3.11")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new_store(tmp_path)


def new_store(root: Path) -> Store:
    """As another process would see it."""
    return Store(root / "store", Digests(root, root / "digests.json"))


def written(folder: Path, name: str = "o.txt", content: str = "result") -> Path:
    """An output as a step leaves it: a file, or a folder with that file in it when the name ends with '/'."""
    path = folder / "scratch" / name
    file = path / "inner" / "file" if name.endswith("/") else path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    return path


def manifest(
    outputs: dict[str, Stored], fingerprint: str = "f" * 64, step: str = "s", created: float = 1.0
) -> Manifest:
    return Manifest(fingerprint, "p", step, "run", created, 2.5, outputs, "reports/s.ipynb")


def test_a_file_moves_into_the_store(store: Store, tmp_path: Path) -> None:
    path = written(tmp_path)
    stored = store.put(path)
    assert stored == Stored(digest_bytes(b"result"), "o.txt", 6)
    assert store.place(stored).read_text() == "result"
    assert not path.exists()


def test_a_folder_moves_as_a_whole(store: Store, tmp_path: Path) -> None:
    stored = store.put(written(tmp_path, "model/"))
    assert (stored.file, stored.size) == ("model", 6)
    assert (store.place(stored) / "inner" / "file").read_text() == "result"


@pytest.mark.parametrize("name", ["o.txt", "model/"])
def test_what_is_stored_is_read_only(store: Store, tmp_path: Path, name: str) -> None:
    place = store.place(store.put(written(tmp_path, name)))
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    assert [file.stat().st_mode & 0o222 for file in files] == [0]


@pytest.mark.parametrize("name", ["o.txt", "model/"])
def test_the_same_content_is_kept_once(store: Store, tmp_path: Path, name: str) -> None:
    first = store.put(written(tmp_path, name))
    inode = store.place(first).stat().st_ino
    assert store.put(written(tmp_path, name)) == first
    assert store.place(first).stat().st_ino == inode
    assert list(store.objects()) == [first.digest]


@pytest.mark.parametrize("name", ["o.txt", "model/"])
def test_storing_again_heals_what_was_damaged(store: Store, tmp_path: Path, name: str) -> None:
    stored = store.put(written(tmp_path, name))
    damage(store.place(stored), "changed")
    store.put(written(tmp_path, name))
    assert new_store(tmp_path).lost(manifest({"out": stored})) is None


def test_the_same_content_under_two_names_is_kept_under_both(store: Store, tmp_path: Path) -> None:
    one, other = store.put(written(tmp_path, "a.txt")), store.put(written(tmp_path, "b.txt"))
    assert one.digest == other.digest
    assert store.place(one).name == "a.txt"
    assert store.place(other).name == "b.txt"


@pytest.mark.parametrize("inside", [False, True])
def test_links_are_refused(store: Store, tmp_path: Path, inside: bool) -> None:
    target = written(tmp_path, "model/")
    link = target / "link" if inside else tmp_path / "link"
    link.symlink_to("/etc/hostname")
    with pytest.raises(StepError, match="'link' is a symbolic link"):
        store.put(target if inside else link)


def test_a_pipe_is_refused(store: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StepError, match="'pipe' is neither a file nor a folder"):
        store.put(tmp_path / "pipe")


def test_what_was_not_written_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StepError, match=r"'o\.txt' was not written"):
        store.put(tmp_path / "o.txt")


@pytest.mark.parametrize("name", ["o.txt", "model/"])
def test_a_stored_output_is_not_read_again(tmp_path: Path, name: str) -> None:
    """Its digest is remembered from the moment it is stored, under its place in the store."""
    digests = Digests(tmp_path, tmp_path / "digests.json")
    store = Store(tmp_path / "store", digests)
    place = store.place(store.put(written(tmp_path, name)))
    digests.save()
    file = place if place.is_file() else place / "inner" / "file"
    assert list(json.loads((tmp_path / "digests.json").read_text())) == [str(file.relative_to(tmp_path))]


def test_a_result_is_found_by_its_fingerprint(store: Store, tmp_path: Path) -> None:
    made = manifest({"out": store.put(written(tmp_path))})
    assert store.find(made.fingerprint) is None
    store.commit(made, INGREDIENTS)
    assert new_store(tmp_path).find(made.fingerprint) == made
    assert new_store(tmp_path).latest("p", "s") == INGREDIENTS
    assert store.lost(made) is None


def test_the_latest_ingredients_are_of_the_latest_result(store: Store) -> None:
    other = Ingredients(**{**INGREDIENTS.as_json(), "kernel": "mine"})
    store.commit(manifest({}, "a" * 64), INGREDIENTS)
    store.commit(manifest({}, "b" * 64), other)
    assert store.latest("p", "s") == other
    assert store.latest("p", "another") is None
    assert store.latest("another", "s") is None


def damage(path: Path, how: str) -> None:
    if how == "deleted":
        remove(path)
        return
    file = path if path.is_file() else next(file for file in path.rglob("*") if file.is_file())
    status = file.stat()
    file.chmod(0o644)
    file.write_text({"same size": "tluser", "changed": "something else"}[how])
    if how == "same size":
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("name", ["o.txt", "model/"])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("deleted", "output out is no longer in the store"),
        ("changed", "output out is corrupted in the store"),
        ("same size", "output out is corrupted in the store"),
    ],
)
def test_lost_outputs_are_noticed(store: Store, tmp_path: Path, name: str, how: str, words: str) -> None:
    made = manifest({"out": store.put(written(tmp_path, name))})
    damage(store.place(made.outputs["out"]), how)
    assert store.lost(made) == words
    assert new_store(tmp_path).lost(made) == words


def test_a_folder_where_a_file_was(store: Store, tmp_path: Path) -> None:
    made = manifest({"out": store.put(written(tmp_path))})
    place = store.place(made.outputs["out"])
    remove(place)
    place.mkdir()
    assert store.lost(made) == "output out is corrupted in the store"


@pytest.mark.parametrize(
    "change",
    [
        {"fingerprint": "0" * 64}, {"created": "yesterday"}, {"seconds": None}, {"step": 3}, {"more": 1},
        {"outputs": None}, {"outputs": {"out": 3}}, {"outputs": {"out": {"digest": 1, "file": "o", "size": 1}}},
        {"outputs": {"out": {"digest": "d", "file": "o"}}}, {"outputs": {"out": {"digest": "d", "file": "o", "size": True}}},
    ],
)  # fmt: skip
def test_a_manifest_with_something_wrong_is_a_miss(
    store: Store, tmp_path: Path, change: dict[str, Any]
) -> None:
    made = manifest({"out": store.put(written(tmp_path))})
    store.commit(made, INGREDIENTS)
    (file,) = (store.folder / "manifests").glob("*/*.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    assert store.find(made.fingerprint) is None
    assert store.manifests() == []


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3", '{"outputs": {}}', "\xff", "[" * 100_000])
def test_damaged_files_are_misses(store: Store, content: str) -> None:
    made = manifest({})
    store.commit(made, INGREDIENTS)
    for kind in ("manifests", "latest"):
        (file,) = (store.folder / kind).glob("*/*.json")
        file.write_bytes(content.encode("latin-1"))
    assert store.find(made.fingerprint) is None
    assert store.latest("p", "s") is None


def test_a_truncated_manifest_is_a_miss(store: Store) -> None:
    store.commit(manifest({}), INGREDIENTS)
    (file,) = (store.folder / "manifests").glob("*/*.json")
    whole = file.read_text()
    for length in range(0, len(whole), 7):
        file.write_text(whole[:length])
        assert store.find("f" * 64) is None


def test_manifests_are_listed_newest_first_and_forgotten(store: Store) -> None:
    for number, created in enumerate((1.0, 3.0, 2.0)):
        store.commit(manifest({}, str(number) * 64, created=created), INGREDIENTS)
    assert [made.created for made in store.manifests()] == [3.0, 2.0, 1.0]
    store.forget(store.manifests()[0])
    store.forget(manifest({}, "9" * 64))
    assert [made.created for made in store.manifests()] == [2.0, 1.0]


def test_a_store_that_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    store = new_store(tmp_path)
    with pytest.raises(StoreError, match="cannot write to the store"):
        store.put(written(tmp_path))
    with pytest.raises(StoreError, match="cannot write to the store"):
        store.commit(manifest({}), INGREDIENTS)
    with pytest.raises(StoreError, match="cannot read the store"):
        store.find("f" * 64)


PUT = """
import sys
from pathlib import Path
from workbench.digests import Digests
from workbench.store import Store
root = Path(sys.argv[1])
store = Store(root / "store", Digests(root, root / "digests.json"))
print("ready", flush=True)
for number in range(30):
    folder = root / sys.argv[2] / str(number) / "model"
    sys.stdin.readline()
    print(store.put(folder).digest, flush=True)
"""


def test_two_processes_may_put_the_same_folder_at_once(tmp_path: Path) -> None:
    for who in "ab":
        for number in range(30):
            folder = tmp_path / who / str(number) / "model"
            folder.mkdir(parents=True)
            for name in "xyz":
                (folder / name).write_text(f"{name}{number}" * 1000)
    both = [
        subprocess.Popen([sys.executable, "-c", PUT, str(tmp_path), who], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for who in "ab"
    ]  # fmt: skip
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n" * 30)
        process.stdin.flush()
    outputs = [process.communicate(timeout=60)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1]
    store = new_store(tmp_path)
    assert set(store.objects()) == set(outputs[0])
    assert all(store.lost(manifest({"out": Stored(digest, "model", 0)})) is None for digest in outputs[0])


def test_everything_moves_with_the_project(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    store = new_store(old)
    made = manifest({"out": store.put(written(old, "model/"))})
    store.commit(made, INGREDIENTS)
    old.rename(tmp_path / "new")
    moved = new_store(tmp_path / "new")
    assert moved.find(made.fingerprint) == made
    assert moved.lost(made) is None


def test_removing_what_is_read_only(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(written(tmp_path, "model/"), folder / "inner")
    for path in (folder / "inner" / "inner" / "file", folder / "inner" / "inner", folder / "inner", folder):
        path.chmod(0o555)
    remove(folder)
    assert not folder.exists()
    (tmp_path / "link").symlink_to(tmp_path / "scratch")
    remove(tmp_path / "link")
    remove(tmp_path / "nowhere")
    assert (tmp_path / "scratch").exists()


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("train", "train"),
        ("train[algorithm=logistic]", "train-algorithm=logistic"),
        ("train[a=1,b=x]", "train-a=1,b=x"),
        ("train[lr=0.5]", "train-lr=0.5"),
    ],
)
def test_names_of_steps_stay_readable(key: str, name: str) -> None:
    assert safe_name(key) == name


STEPS = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,6}", fullmatch=True)
VALUES = (
    st.text(max_size=8)
    | st.integers()
    | st.booleans()
    | st.floats()
    | st.sampled_from(["a/b", "a-b", "é", "x" * 300])
)
BRANCHES = st.dictionaries(st.from_regex(r"[a-z_]{1,3}", fullmatch=True), VALUES, max_size=2)


@given(st.lists(st.builds(branch_key, STEPS, BRANCHES), max_size=12))
def test_no_two_steps_share_a_file_name(keys: Iterable[str]) -> None:
    different = set(keys)
    names = {safe_name(key) for key in different}
    assert len(names) == len(different)
    assert all(re.fullmatch(r"[A-Za-z0-9_.=,+-]{1,130}", name) and name not in (".", "..") for name in names)
