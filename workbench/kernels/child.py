"""What runs in a fork on its way to being a kernel: everything inherited is put right, then ipykernel starts.

A fork copies state. What a fresh interpreter would have of its own is renewed here: session, signals, file
descriptors, environment, working directory, module search path, random generators, native thread pools.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import random
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any, NoReturn

from workbench.kernels import late_debugger, linux, threads
from workbench.kernels.imports import path_entries
from workbench.kernels.learn import tell_imports
from workbench.kernels.wire import Launch, Origin, encode
from workbench.leaving import leave

STREAMS = ("stdin", "stdout", "stderr")


def become_kernel(launch: Launch, owner: socket.socket, streams: Sequence[int], origin: Origin) -> NoReturn:
    """Turn this process into the kernel that `launch` describes; `streams` become its first descriptors.

    Tells the owner when it is `ready` (all its sockets are bound, so that no client has to retry) or that it
    `failed` to start. Never returns.
    """
    code = 1
    try:
        _detach(streams)
        os.chdir(launch.cwd)
        # ipykernel watches its parent, which is the guard.
        env = {**launch.env, "JPY_PARENT_PID": str(os.getppid())}
        if not launch.warm:
            _execute(launch.argv, env, owner)
        _renew(replace(launch, env=env), origin)
        code = _run_ipykernel(launch, origin, owner)
        _leave(code)
    except OSError as error:
        _tell(owner, {"failed": f"{error.strerror}: '{error.filename}'" if error.filename else str(error)})
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        _tell(owner, {"failed": f"ipykernel stopped at its start with exit code {code}"})
        _leave(code)
    except BaseException as error:  # noqa: BLE001 - the process ends here; the owner gets to know why
        sys.excepthook(type(error), error, error.__traceback__)
        _tell(owner, {"failed": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(code)


def _detach(streams: Sequence[int]) -> None:
    """Own session, ordinary signals, own standard streams; death with the guard."""
    linux.die_with_parent(signal.SIGKILL)
    os.setsid()
    signal.set_wakeup_fd(-1)
    for signum in (signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    for stream in set(streams):
        if stream > 2:
            os.close(stream)


def _execute(argv: Sequence[str], env: dict[str, str], owner: socket.socket) -> NoReturn:
    """Replace this process by the kernelspec's own command."""
    program = shutil.which(argv[0], path=env.get("PATH", os.defpath))
    if program is None:
        raise FileNotFoundError(errno.ENOENT, "no such program", argv[0])
    owner.sendall(encode({"ready": os.getpid()}))
    os.execve(program, list(argv), env)  # noqa: S606 - what the kernelspec says


def _renew(launch: Launch, origin: Origin) -> None:
    """Replace what belongs to one process: environment, search path, random state, thread pools, main module."""
    linux.name_process("ipykernel")
    os.environ.clear()
    os.environ.update({**origin.variables, **launch.env})
    time.tzset()
    sys.path[:] = [*(os.path.abspath(entry) for entry in path_entries(launch.env)), *origin.path]  # noqa: PTH100
    sys.orig_argv[:] = launch.argv
    random.seed()
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    if processes := sys.modules.get("multiprocessing.process"):
        processes.current_process().authkey = os.urandom(32)
    if matplotlib := sys.modules.get("matplotlib"):
        inline = "module://matplotlib_inline.backend_inline"
        matplotlib.rcParams["backend"] = launch.env.get("MPLBACKEND") or inline
    threads.set_limits(launch.threads, launch.env)
    for name in origin.own_modules:
        # A workbench that is being developed must be read again like any project module.
        sys.modules.pop(name, None)
    gc.enable()


def _run_ipykernel(launch: Launch, origin: Origin, owner: socket.socket) -> int:
    """What `python -m ipykernel_launcher` does."""
    import ipykernel_launcher  # type: ignore[import-untyped]
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = [ipykernel_launcher.__file__, *launch.argv[launch.argv.index("-m") + 2 :]]
    # Any parent but 0 silences the terminal banner, and 1 means: no thread that polls for the parent's death;
    # the parent-death signal does that.
    app: Any = IPKernelApp.instance(parent_handle=1)
    settings = _plain_settings(sys.argv[1:])
    if settings is not None:
        # traitlets builds an argument parser out of all traits: 45 ms of a kernel's 150.
        app.parse_command_line = lambda argv: app.update_config(settings)
    late_debugger.put_off()
    with _only_kernel_modules(origin):
        app.initialize(sys.argv[1:])
    owner.sendall(encode({"ready": os.getpid()}))
    tell_imports(app.shell, lambda names: _tell(owner, {"imported": names}), new=launch.learn)
    app.start()
    return 0


class _Sys:
    """`sys`, but for its modules."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self.modules = modules

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


@contextlib.contextmanager
def _only_kernel_modules(origin: Origin) -> Iterator[None]:
    """Let the new kernel take these for its own modules, and not everything that the host has imported.

    The debugger steps over a kernel's own modules and leaves them out of the call stack: pandas must not be
    one of them, and what this fork came through must. Looking at each of 3,000 modules would also copy 3,000
    pages.
    """
    import ipykernel.ipkernel

    module: Any = ipykernel.ipkernel
    loaded = {name: sys.modules[name] for name in origin.kernel_modules if name in sys.modules}
    module.sys = _Sys({**loaded, **origin.own_modules, "__main__": sys.modules["__main__"]})
    try:
        yield
    finally:
        module.sys = sys


def _plain_settings(arguments: Sequence[str]) -> Any:
    """The configuration that `-f FILE --Class.trait=value …` stands for; None for any other command line."""
    from traitlets.config.loader import Config, DeferredConfigString

    settings = Config()
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.removeprefix("--").partition("=")
        if argument == "-f" and rest:
            settings.IPKernelApp.connection_file = rest.pop(0)
        elif (
            argument.startswith("--")
            and equals
            and name.count(".") == 1
            and name.replace(".", "").isidentifier()
        ):
            section, trait = name.split(".")
            settings[section][trait] = DeferredConfigString(value)
        else:
            return None
    return settings


def _leave(code: int) -> NoReturn:
    """The end of an interpreter, without the teardown that takes longer than a kernel's start."""
    threading._shutdown()  # type: ignore[attr-defined]
    _stop_control_thread()
    leave(code)


def _stop_control_thread() -> None:
    """Let the control thread finish while there is still somebody to take its last message.

    ipykernel closes its output thread first; a control thread that flushes at that moment waits 10 s for it,
    in about one graceful shutdown of 15.
    """
    from ipykernel.kernelapp import IPKernelApp

    if not IPKernelApp.initialized():
        return
    thread: Any = IPKernelApp.instance().control_thread
    if thread and thread.is_alive():
        with contextlib.suppress(RuntimeError):  # its loop has ended meanwhile
            thread.stop()
        thread.join(1)


def _tell(owner: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the owner is gone, or was told `ready` already
        owner.sendall(encode(message))
