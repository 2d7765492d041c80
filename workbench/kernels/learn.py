"""What a kernel's cells have imported, told to its owner, so that the next kernel finds it imported.

For owners that do not know the notebook, such as JupyterLab: there a restart becomes instant. And for parts of
packages that are only imported when they are used, and so stand in no notebook, such as `pyarrow.dataset`.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable
from typing import Any

DEPTH = 2
"""`sklearn.ensemble` is worth knowing apart from `sklearn`; deeper modules come with them."""


def tell_imports(shell: Any, tell: Callable[[list[str]], None], *, new: bool) -> None:
    """After each cell, `tell` the names of installed modules that were imported since the last time.

    Without `new` only of those that belong to packages imported before: a whole package that one notebook
    turns out to need is not worth that others wait for it.
    """
    installed = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    known = set(sys.modules)
    packages = {name.partition(".")[0] for name in known}
    last = len(known)

    def look(*_: object) -> None:
        nonlocal last
        if len(sys.modules) == last:
            return
        fresh = [name for name in tuple(sys.modules) if name not in known]
        known.update(fresh)
        last = len(sys.modules)
        names = [
            name
            for name in fresh
            if name.count(".") < DEPTH
            and (new or name.partition(".")[0] in packages)
            and _is_installed(name, installed)
        ]
        if names:
            tell(names)

    shell.events.register("post_run_cell", look)


def _is_installed(name: str, folders: tuple[str, ...]) -> bool:
    """Whether the module comes from an installed package, and not from the project or a cell."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return bool(spec and spec.name == name and spec.origin and spec.origin.startswith(folders))
