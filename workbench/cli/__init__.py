"""The command `workbench`: parse, call one function, print, return an exit code.

Exit codes: 0 done, 1 a step failed or the work could not be done, 2 bad input, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from workbench.errors import SpecError, WorkbenchError, did_you_mean

if TYPE_CHECKING:
    import click

OnSignal = Callable[[int, FrameType | None], Any]


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command with these arguments (default: the process's); returns its exit code."""
    import click

    from workbench.cli.commands import root

    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that cannot show '→' is no reason to fail
    arguments = None if argv is None else list(argv)
    try:
        with signals(_terminate, signal.SIGTERM):
            return root.main(arguments, prog_name="workbench", standalone_mode=False) or 0
    except click.UsageError as error:
        return _refuse_usage(error)
    except click.ClickException as error:
        return _refuse(error.format_message(), 2)
    except WorkbenchError as error:
        return _refuse(describe(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        terminated = isinstance(error, Terminated) or isinstance(error.__cause__, Terminated)
        print("terminated" if terminated else "interrupted", file=sys.stderr)  # noqa: T201
        return 143 if terminated else 130
    except Exception:  # noqa: BLE001 - the outermost edge: what is not expected is a bug, and shown as one
        import traceback

        traceback.print_exc()
        return _refuse("this is a bug in the workbench; please report it with the lines above", 1)


def program() -> NoReturn:
    """The process of a command, from its arguments to its end."""
    from workbench.leaving import leave

    leave(main())


@contextmanager
def signals(action: OnSignal, *numbers: signal.Signals) -> Iterator[None]:
    """Have these signals handled by `action` while the block runs; no effect outside the main thread."""
    before = {}
    try:
        for number in numbers:
            before[number] = signal.signal(number, action)
    except ValueError:
        pass
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def describe(error: WorkbenchError) -> str:
    """An error as people read it: one sentence, or every problem on its own line with a short path."""
    if not isinstance(error, SpecError):
        return str(error)
    from workbench.cli.printing import short_problem

    lines = [short_problem(problem) for problem in error.problems]
    return lines[0] if len(lines) == 1 else "\n".join([f"{len(lines)} problems", *(f"  {x}" for x in lines)])


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _refuse(message: str, code: int) -> int:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201
    return code


def _refuse_usage(error: click.UsageError) -> int:
    from click import NoSuchOption

    context = error.ctx
    message = error.format_message().rstrip(".")
    message = message[:1].lower() + message[1:]
    if isinstance(error, NoSuchOption):
        known = (
            [name for each in context.command.get_params(context) for name in each.opts] if context else []
        )
        message = f"no such option '{error.option_name}'{did_you_mean(error.option_name, known)}"
    if context is not None:
        message += f"\nsee: {context.command_path} --help"
    return _refuse(message, 2)
