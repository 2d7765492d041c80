"""Where imports lead: project modules, through each other, and packages with their versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workbench.imports import Imports, ProjectModules, package_versions


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with a package, a namespace package, modules of both kinds, and a folder of notebooks."""
    files = {
        "first.py": "import second, numpy.linalg",
        "second.py": "from package import part",
        "package/__init__.py": "import os",
        "package/part.py": "from . import sibling\nfrom .deep.inner import f",
        "package/sibling.py": "",
        "package/deep/inner.py": "from ... import nothing\nfrom .. import sibling",
        "space/inside/mod.py": "import pandas",
        "space/other.py": "",
        "circle_a.py": "import circle_b",
        "circle_b.py": "import circle_a",
        "broken.py": "def f(:",
        "notebooks/beside.py": "import first",
        "both.py": "",
        "notebooks/both.py": "import sklearn",
        "data/table.csv": "",
    }
    for name, source in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    return tmp_path


def follow(root: Path, *names: str) -> Imports:
    return ProjectModules(root).follow(names, root / "notebooks")


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("package", {"package/__init__.py"}),
        ("package.sibling", {"package/__init__.py", "package/sibling.py"}),
        ("package.sibling.name", {"package/__init__.py", "package/sibling.py"}),
        ("package.part", {"package/__init__.py", "package/part.py", "package/sibling.py", "package/deep/inner.py"}),
        ("space.inside.mod", {"space/inside/mod.py"}),
        ("space.other.f", {"space/other.py"}),
        ("second", {"second.py", "package/__init__.py", "package/part.py", "package/sibling.py", "package/deep/inner.py"}),
        ("circle_a", {"circle_a.py", "circle_b.py"}),
        ("broken", {"broken.py"}),
        ("both", {"both.py"}),
        ("os.path", set()),
        ("numpy", set()),
    ],
)  # fmt: skip
def test_project_modules_are_followed(root: Path, name: str, modules: set[str]) -> None:
    assert set(follow(root, name).modules) == modules


def test_modules_beside_the_notebook_are_found(root: Path) -> None:
    found = follow(root, "beside")
    assert {"notebooks/beside.py", "first.py", "second.py"} <= set(found.modules)


@pytest.mark.parametrize(
    ("name", "outside"),
    [
        ("first", {"numpy.linalg"}),
        ("space.inside.mod", {"pandas"}),
        ("sklearn.linear_model", {"sklearn.linear_model"}),
        ("data", {"data"}),
        ("space", set()),
        ("space.inside", set()),
        ("json", set()),
        ("__future__", set()),
    ],
)
def test_what_leaves_the_project_is_outside(root: Path, name: str, outside: set[str]) -> None:
    found = follow(root, name)
    assert found.outside == outside
    assert found.packages == {name.partition(".")[0] for name in outside}


def test_an_installed_package_comes_before_a_folder_of_the_same_name(root: Path) -> None:
    (root / "yaml").mkdir()
    (root / "yaml" / "script.py").touch()
    assert follow(root, "yaml").packages == {"yaml"}


@pytest.mark.parametrize(
    ("source", "same"), [("import second,  numpy.linalg  # now", True), ("import second", False)]
)
def test_a_module_counts_by_its_code(root: Path, source: str, same: bool) -> None:
    before = follow(root, "first").modules["first.py"]
    (root / "first.py").write_text(source)
    assert (follow(root, "first").modules["first.py"] == before) is same


def test_modules_are_remembered_by_their_content(root: Path) -> None:
    memory = root / "modules.json"
    modules = ProjectModules(root, memory)
    before = modules.follow(["first"], root)
    modules.save()
    kept = memory.read_text()
    again = ProjectModules(root, memory)
    assert again.follow(["first"], root) == before
    again.save()
    assert memory.read_text() == kept


def install(site: Path, name: str, version: str) -> None:
    """A package as pip leaves it; an older version goes."""
    for old in site.glob(f"{name}-*.dist-info"):
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text(name)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    site = tmp_path / "site"
    install(site, "fakepkg", "1.0")
    monkeypatch.syspath_prepend(str(site))
    return site


def test_packages_have_versions(site: Path, tmp_path: Path) -> None:
    versions = package_versions(["fakepkg", "nowhere"], tmp_path / "packages.json")
    assert versions == {"fakepkg": "fakepkg 1.0", "nowhere": "not installed"}


def test_an_upgrade_is_noticed_at_once(site: Path, tmp_path: Path) -> None:
    memory = tmp_path / "packages.json"
    package_versions(["fakepkg"], memory)
    install(site, "fakepkg", "1.1")
    assert package_versions(["fakepkg"], memory) == {"fakepkg": "fakepkg 1.1"}


def test_the_index_is_remembered(site: Path, tmp_path: Path) -> None:
    memory = tmp_path / "packages.json"
    package_versions(["fakepkg"], memory)
    kept = json.loads(memory.read_text())
    memory.write_text(json.dumps({**kept, "packages": {"fakepkg": "told"}}))
    assert package_versions(["fakepkg"], memory) == {"fakepkg": "told"}
    (site / "some_module.py").touch()
    assert package_versions(["fakepkg"], memory) == {"fakepkg": "told"}


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"stamp": 3}'])
def test_a_damaged_index_is_made_again(site: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "packages.json").write_text(content)
    assert package_versions(["fakepkg"], tmp_path / "packages.json") == {"fakepkg": "fakepkg 1.0"}


def test_an_index_that_cannot_be_kept_is_no_error(site: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert package_versions(["fakepkg"], tmp_path / "file" / "packages.json") == {"fakepkg": "fakepkg 1.0"}


def test_metadata_without_a_name_is_passed_over(site: Path, tmp_path: Path) -> None:
    import importlib_metadata  # noqa: F401 - once imported, a name that is missing is an error instead of None

    info = site / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\n")
    (info / "top_level.txt").write_text("broken")
    assert package_versions(["fakepkg"], tmp_path / "packages.json") == {"fakepkg": "fakepkg 1.0"}


def test_nothing_wanted_nothing_read(tmp_path: Path) -> None:
    assert package_versions([], tmp_path / "packages.json") == {}
    assert not (tmp_path / "packages.json").exists()
