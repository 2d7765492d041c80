"""What the notebook of a step printed, as text: for the terminal, and live in the app."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.events import without_colours

if TYPE_CHECKING:
    from workbench.events import Failure
    from workbench.ledger_rows import StepRun

AROUND = 8
"""Lines of the cell shown before and after the one that failed."""


def notebook_log(notebook: Path, step: StepRun) -> Iterator[str]:
    """The outputs of an executed notebook as text; of the cell that failed also the source."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError:
        yield f"  '{notebook}' is gone; `workbench gc` removes what old runs left"
        return
    except (OSError, ValueError, LookupError, TypeError) as error:
        yield f"  '{notebook}' cannot be read: {error}"
        return
    failure = step.failure
    for position, cell in enumerate(cells):
        if cell.get("cell_type") != "code":
            continue
        failed = failure is not None and failure.cell == position
        outputs = [line for output in cell.get("outputs", ()) for line in output_lines(output)]
        if not outputs and not failed:
            continue
        count = cell.get("execution_count")
        yield f"{'→ ' if failed else '  '}[{' ' if count is None else count}]{' failed' if failed else ''}"
        if failed and failure is not None:
            yield from (f"    {line}" for line in marked_source(failure))
        yield from (f"    {line}".rstrip() for line in outputs)
    if failure is not None and failure.cell is None:
        yield f"  {failure.message}"


def marked_source(failure: Failure) -> list[str]:
    """The cell's lines around the failing one, which an arrow marks."""
    lines = failure.source.split("\n")
    at = failure.line or 0
    first = max(1, at - AROUND) if at else 1
    last = min(len(lines), (at or 1) + AROUND)
    shown = [f"{'→' if n == at else ' '} {n:>3} │ {lines[n - 1]}".rstrip() for n in range(first, last + 1)]
    return [*(["      …"] if first > 1 else []), *shown, *(["      …"] if last < len(lines) else [])]


def output_lines(output: Mapping[str, Any]) -> list[str]:
    """One output of a cell as lines of text; other media by their type."""
    kind = output.get("output_type")
    if kind == "stream":
        text = output.get("text", "")
    elif kind == "error":
        text = "\n".join(output.get("traceback", ())) or f"{output.get('ename')}: {output.get('evalue')}"
    else:
        data = output.get("data") or {}
        text = data.get("text/plain", "")
        pictures = [media for media in data if media.startswith(("image/", "video/", "audio/"))]
        if pictures:
            text = f"<{pictures[0]}>"
    text = text if isinstance(text, str) else "".join(text)
    return [_visible(line) for line in text.rstrip("\n").split("\n")]


def _visible(line: str) -> str:
    """What a terminal would end up with: no colours, and of overwritten text only the last."""
    line = without_colours(line).rstrip("\r").rpartition("\r")[2]
    return "".join(sign if sign.isprintable() or sign == "\t" else " " for sign in line)
