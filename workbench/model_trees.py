"""Trees that predict with compiled code: every index in them must lead somewhere.

scikit-learn follows a TreePredictor's indexes without looking. In a crafted file they lead out of the array, which
crashes the process at the first prediction, or back, so that it never ends. Loading such a tree is harmless.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from workbench.errors import ModelError


def refuse_broken_trees(model: Any, what: str) -> None:
    """Look at every tree inside a loaded model. Raises ModelError."""
    seen: set[int] = set()
    left: list[tuple[Any, int]] = [(model, 0)]
    while left:
        value, features = left.pop()
        if id(value) in seen or isinstance(value, str | bytes | int | float | type):
            continue
        seen.add(id(value))
        if isinstance(value, dict):
            left += [(each, features) for each in value.values()]
        elif isinstance(value, list | tuple | set) or (
            isinstance(value, np.ndarray) and value.dtype == object
        ):
            left += [(each, features) for each in value]
        elif type(value).__name__ == "TreePredictor":
            if problem := _problem(value, features):
                raise ModelError(f"{what} is refused: one of its trees {problem}")
        elif hasattr(value, "__dict__"):
            inside = vars(value)
            left += [(each, int(inside.get("n_features_in_") or features)) for each in inside.values()]


def _problem(tree: Any, features: int) -> str | None:
    """What is wrong with one tree. Children always stand after their parent: the grower numbers them so."""
    try:
        nodes, bitsets = tree.nodes, len(tree.raw_left_cat_bitsets)
        inner = nodes["is_leaf"] == 0
        places = np.arange(len(nodes))[inner]
        split = nodes[inner]
        for side in ("left", "right"):
            if ((split[side] <= places) | (split[side] >= len(nodes))).any():
                return "has a branch that leads out of it, or back"
        if ((split["feature_idx"] < 0) | (split["feature_idx"] >= features)).any():
            return f"asks for a feature beyond the {features} there are"
        if (split["bitset_idx"][split["is_categorical"] != 0] >= bitsets).any():
            return "asks for categories that it does not hold"
    except (AttributeError, TypeError, ValueError, LookupError) as error:
        return f"is none ({error})"
    return None if len(nodes) else "is empty"
