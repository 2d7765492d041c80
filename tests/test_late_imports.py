"""What nbformat's import would do for nothing: put off, and done all the same when it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from workbench.late_imports import left_out

CODE = """
import sys
{first}
early = "rfc3987_syntax" in sys.modules
import jsonschema
conforms = jsonschema.FormatChecker().conforms
print(early, conforms("http://example.org/é", "iri"), conforms("<no iri>", "iri"), "rfc3987_syntax" in sys.modules)
"""


@pytest.mark.parametrize("first", ["import workbench.cells", "import workbench.injection"])
def test_the_grammar_is_compiled_when_an_iri_is_checked(first: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(first=first)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "True", "False", "True"]


def test_a_grammar_that_is_there_is_left_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(first="import rfc3987_syntax, workbench.cells")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["True", "True", "False", "True"]


def test_papermill_comes_without_what_only_remote_notebooks_need() -> None:
    code = "import sys, workbench.injection; print('pyarrow' in sys.modules); import pyarrow; print(pyarrow.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "pyarrow"]


def test_what_is_there_already_is_not_left_out() -> None:
    with left_out("json"):
        import json
    assert json.loads("1") == 1
    with left_out("a_module_that_nobody_has"), pytest.raises(ImportError):
        import a_module_that_nobody_has  # noqa: F401
    assert "a_module_that_nobody_has" not in sys.modules
