"""Run the cells of a parameterized notebook in a kernel, and keep the executed notebook true at every instant.

Papermill's and nbclient's pieces, with what they leave open: a budget for output, deadlines for a cell and for
the whole notebook, stopping from another thread, and states that are right also when a kernel dies.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_async

from workbench.digests import write_atomically
from workbench.events import without_colours
from workbench.late_imports import grammar_put_off

with grammar_put_off():
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from nbformat import NotebookNode

__all__ = ["CellExecutionError", "DeadKernelError", "ExecutedNotebook", "StepClient", "Stopped", "Watcher"]

GRACE_SECONDS = 3.0
"""How long an interrupted cell may take to end by itself before its kernel is killed."""

_SAVE_SECONDS = 5.0
_TICK_SECONDS = 0.1


class Stopped(Exception):  # noqa: N818 - an outcome rather than an error
    """The notebook was stopped from outside: `kind` is 'timeout' or 'interrupted'."""

    def __init__(self, kind: Literal["timeout", "interrupted"], message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Watcher(Protocol):
    """Whoever wants to know how a notebook is getting on. Called from the thread that executes it."""

    def cell_started(self, cell: int, cells: int) -> None:
        """Code cell `cell` of `cells` begins, counted from 1."""

    def printed(self, line: str) -> None:
        """A line of output that a person may want to see at once."""


class ExecutedNotebook:
    """The output copy: written to its file after every change of state, by a rename."""

    def __init__(self, notebook: NotebookNode, path: Path, secrets: Iterable[str]) -> None:
        self.notebook, self.path = notebook, path
        known = [secret for secret in secrets if secret]
        self._secrets = {*known, *(json.dumps(secret, ensure_ascii=False)[1:-1] for secret in known)}
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.execution_count, cell.outputs = None, []
            cell.metadata["papermill"] = {"status": "pending", "exception": None}
        about = notebook.metadata.setdefault("papermill", {})
        about.update(start_time=_now(), end_time=None, exception=None, output_path=path.name)

    def started(self, cell: NotebookNode) -> None:
        cell.metadata["papermill"] = {"status": "running", "exception": False, "start_time": _now()}
        self.save()

    def ended(self, cell: NotebookNode, *, failed: bool = False) -> None:
        cell.outputs = joined_streams(cell.outputs)
        cell.metadata["papermill"] |= {
            "status": "failed" if failed else "completed", "exception": failed, "end_time": _now(),
        }  # fmt: skip

    def finish(self, *, failed: bool) -> None:
        """Write the last state: whatever is still pending stays so, for it never ran."""
        self.notebook.metadata["papermill"] |= {"end_time": _now(), "exception": failed}
        self.save()

    def save(self) -> None:
        """Replace the file. Raises OSError, as when the disk is full."""
        write_atomically(self.path, self.scrub(json.dumps(self.notebook, indent=1, ensure_ascii=False)))

    def scrub(self, text: str) -> str:
        """`text` without the values of secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text


class StepClient(NotebookClient):
    """One notebook, one kernel, one use.

    run
      _cells           each code cell in order, until one fails
      _watch           deadlines and stop requests, beside the cells
    """

    def __init__(
        self,
        executed: ExecutedNotebook,
        kernel: AsyncKernelManager,
        watcher: Watcher,
        *,
        budget: int,
        timeout: float | None,
        cell_timeout: float | None,
        start_timeout: float,
    ) -> None:
        super().__init__(
            executed.notebook, km=kernel, timeout=None, startup_timeout=int(start_timeout),
            iopub_timeout=600, coalesce_streams=False, record_timing=False, allow_errors=False,
            shutdown_kernel="immediate", ipython_hist_file="", log=_quiet_log(),
        )  # fmt: skip
        self.executed, self.watcher = executed, watcher
        self.budget, self.step_timeout, self.cell_limit = budget, timeout, cell_timeout
        self.position: int | None = None
        """The cell that runs, or ran last, in the executed notebook."""
        self.notices: list[str] = []
        self._spent = 0
        self._spilled: dict[int, int] = {}
        self._cell_started = 0.0
        self._dirty = False
        self._stop: Stopped | None = None
        self._shown = 0.0

    @property
    def spill_path(self) -> Path:
        """Where output above the budget goes."""
        return self.executed.path.with_suffix(".output.txt")

    async def run(self, environment: Mapping[str, str], folder: Path, stop: Callable[[], bool]) -> None:
        """Execute every code cell. Returns early, without error, when a cell calls `sys.exit()`.

        Raises Stopped, CellExecutionError, DeadKernelError, RuntimeError when the kernel does not get ready.
        """
        try:
            await self.async_start_new_kernel(env=dict(environment), cwd=str(folder))
            watch = asyncio.ensure_future(self._watch(stop))
            try:
                await self.async_start_new_kernel_client()
                await self._cells()
            finally:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch
        except (CellExecutionError, DeadKernelError, RuntimeError):
            if self._stop:
                raise self._stop from None
            raise
        finally:
            if self.widget_state:
                self.set_widgets_metadata()
            if self.km is not None:
                await self._async_cleanup_kernel()
            self._note_spilled()

    async def _cells(self) -> None:
        code = [
            (position, cell)
            for position, cell in enumerate(self.nb.cells)
            if cell.cell_type == "code" and cell.source.strip()
        ]
        for number, (position, cell) in enumerate(code, 1):
            if self._stop:
                raise self._stop
            self.position, self._cell_started = position, time.monotonic()
            self.executed.started(cell)
            self.watcher.cell_started(number, len(code))
            try:
                await self.async_execute_cell(cell, position)
            except CellExecutionError as error:
                if error.ename == "SystemExit" and error.evalue in ("", "0", "None") and not self._stop:
                    self.executed.ended(cell)
                    if number < len(code):
                        self.notices.append(
                            f"code cell {number} of {len(code)} ended the notebook with sys.exit()"
                        )
                    return
                self.executed.ended(cell, failed=True)
                raise
            except BaseException:
                self.executed.ended(cell, failed=True)
                raise
            self.executed.ended(cell)

    async def _watch(self, stop: Callable[[], bool]) -> None:
        """Interrupt the kernel when a deadline has passed or somebody asks; kill it when that does not help."""
        began = saved = time.monotonic()
        while self._stop is None:
            await asyncio.sleep(_TICK_SECONDS)
            now = time.monotonic()
            if stop():
                self._stop = Stopped("interrupted", "interrupted")
            elif self.step_timeout and now - began > self.step_timeout:
                self._stop = Stopped(
                    "timeout", f"the step took longer than its timeout of {self.step_timeout:g} s"
                )
            elif self.cell_limit and self._cell_started and now - self._cell_started > self.cell_limit:
                self._stop = Stopped(
                    "timeout", f"the cell took longer than its timeout of {self.cell_limit:g} s"
                )
            elif self._dirty and now - saved > _SAVE_SECONDS:
                self._dirty, saved = False, now
                self.executed.save()
        if self.km is not None and await ensure_async(self.km.is_alive()):
            await ensure_async(self.km.interrupt_kernel())
            await asyncio.sleep(GRACE_SECONDS)
            await ensure_async(self.km.signal_kernel(signal.SIGKILL))

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """nbclient's hook for each output of a cell: keep it, or spill it when the budget is spent."""
        content = msg["content"]
        text = content.get("text", "")
        if text and (now := time.monotonic()) - self._shown > _TICK_SECONDS and (lines := text.split("\n")):
            shown = next((line for line in reversed(lines) if line.strip()), "")
            if shown:
                self._shown = now
                self.watcher.printed(self.executed.scrub(_plain(shown))[:300])
        size = len(text) or sum(len(str(value)) for value in content.get("data", {}).values())
        self._dirty = True
        left = max(0, self.budget - self._spent)
        self._spent += size
        if size <= left or msg["msg_type"] == "error":
            return super().output(outs, msg, display_id, cell_index)
        kept = text[:left]
        self._spilled[cell_index] = self._spilled.get(cell_index, 0) + size - len(kept)
        with self.spill_path.open("a", encoding="utf-8") as spill:
            spill.write(self.executed.scrub(text[left:] or json.dumps(content.get("data", {})) + "\n"))
        if not kept:
            return None
        return super().output(outs, {**msg, "content": {**content, "text": kept}}, display_id, cell_index)

    def _note_spilled(self) -> None:
        """Say in each cell, and to the user, what went to the file."""
        for position, size in self._spilled.items():
            note = f"\n[{_size(size)} more than the output budget: in {self.spill_path.name}]\n"
            self.nb.cells[position].outputs.append(
                NotebookNode(output_type="stream", name="stderr", text=note)
            )
        if self._spilled:
            total = _size(sum(self._spilled.values()))
            self.notices.append(
                f"{total} of output above the budget of {_size(self.budget)} went to {self.spill_path.name}"
            )


def joined_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with the pieces of a stream put together, and of lines that were drawn over only the last state.

    nbclient can do this too, in time quadratic in the length of a line.
    """
    joined: list[NotebookNode] = []
    pieces: dict[str, list[str]] = {}
    for output in outputs:
        if output.output_type == "stream":
            if output.name not in pieces:
                pieces[output.name] = []
                joined.append(output)
            pieces[output.name].append(output.text)
        else:
            joined.append(output)
    for output in joined:
        if output.output_type == "stream":
            text = "".join(pieces[output.name])
            if "\r" in text:
                text = "\n".join(_plain(line, colours=True) for line in text.split("\n"))
            output.text = text
    return joined


def error_line(traceback: str, execution_count: int | None) -> int | None:
    """The line of the cell, from 1, that IPython's traceback names last."""
    cell = execution_count if execution_count is not None else r"\d+"
    found = re.findall(rf"Cell In\[{cell}\], line (\d+)", without_colours(traceback))
    return int(found[-1]) if found else None


def _plain(line: str, *, colours: bool = False) -> str:
    """A line as a terminal would show it in the end: what was drawn over it last, without colours."""
    last = line.rstrip("\r\n").rpartition("\r")[2]
    return last if colours else without_colours(last)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _quiet_log() -> Any:
    """nbclient logs to stderr what we report ourselves."""
    import logging

    log = logging.getLogger("workbench.cells")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    return log
