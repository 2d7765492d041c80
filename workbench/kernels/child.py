"""What runs in a fork on its way to being a kernel: everything inherited is put right, then ipykernel starts.

A fork copies state. What a fresh interpreter would have of its own is renewed here: session, signals, file
descriptors, environment, working directory, module search path, random generators, native thread pools.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from workbench.kernels import linux, threads
from workbench.kernels.wire import Launch, encode

STREAMS = ("stdin", "stdout", "stderr")


def become_kernel(launch: Launch, owner: socket.socket, streams: Sequence[int], base_path: list[str]) -> NoReturn:
    """Turn this process into the kernel that `launch` describes; `streams` become its first descriptors.

    Tells the owner when it is `ready` (all its sockets are bound, so that no client has to retry) or that it
    `failed` to start. Never returns.
    """
    code = 1
    try:
        _detach(streams)
        os.chdir(launch.cwd)
        if not launch.warm:
            owner.sendall(encode({"ready": os.getpid()}))
            os.execvpe(launch.argv[0], launch.argv, launch.env)  # noqa: S606 - the kernelspec's own command
        _renew(launch, base_path)
        code = _run_ipykernel(launch.argv, owner)
    except OSError as error:
        _tell(owner, {"failed": f"{error.strerror}: '{error.filename}'" if error.filename else str(error)})
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        _tell(owner, {"failed": f"ipykernel stopped at its start with exit code {code}"})
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
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    for stream in set(streams):
        if stream > 2:
            os.close(stream)


def _renew(launch: Launch, base_path: list[str]) -> None:
    """Replace what belongs to one process: environment, search path, random state, thread pools, main module."""
    linux.name_process("ipykernel")
    os.environ.clear()
    os.environ.update(launch.env)
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    time.tzset()
    extra = [entry for entry in launch.env.get("PYTHONPATH", "").split(os.pathsep) if entry]
    sys.path[:] = [*(os.path.abspath(entry) for entry in extra), *base_path]  # noqa: PTH100
    sys.orig_argv[:] = launch.argv
    random.seed()
    if numpy_random := sys.modules.get("numpy.random"):
        numpy_random.seed()
    if processes := sys.modules.get("multiprocessing.process"):
        processes.current_process().authkey = os.urandom(32)
    threads.set_limits(launch.threads, launch.env)
    for name in [name for name in sys.modules if name.partition(".")[0] == "workbench"]:
        # An installed workbench under development must be read again like any project module.
        del sys.modules[name]
    gc.enable()


def _run_ipykernel(argv: Sequence[str], owner: socket.socket) -> int:
    """What `python -m ipykernel_launcher` does, then the end of an interpreter without its teardown."""
    import atexit

    from ipykernel.kernelapp import IPKernelApp

    module = argv.index("-m")
    import ipykernel_launcher

    sys.argv = [ipykernel_launcher.__file__, *argv[module + 2 :]]
    # Any parent but 0 silences the terminal banner, and 1 means: no thread that polls for the parent's death;
    # the parent-death signal does that.
    app: Any = IPKernelApp.instance(parent_handle=1)
    app.initialize(sys.argv[1:])
    owner.sendall(encode({"ready": os.getpid()}))
    owner.close()
    code = 0
    try:
        app.start()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(code)


def _tell(owner: socket.socket, message: dict[str, Any]) -> None:
    try:
        owner.sendall(encode(message))
    except OSError:
        pass  # the owner is gone, or was told `ready` already
