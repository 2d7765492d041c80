"""Warm kernels: one-use Jupyter kernels forked from a process that has the imports done.

For the runner (any thread, each with its own event loop, several at once)::

    with KernelHost(imports=["pandas", "sklearn.ensemble"], excluded=[project.root]) as host:   # returns at once
        host.add_imports(["mlflow"])                   # announced later; also at once
        km = kernel_manager("python3", host=host, imports=["pandas"], memory_limit=4 * 10**9, threads=1)
        client = NotebookClient(nb, km=km)             # "graceful": exit functions run (mlflow's); 50 ms, not s
        client.owns_km = True                          # nbclient then ends the kernel, also after an error
        provisioner = km.provisioner                   # nbclient forgets km
        await client.async_execute(cwd=..., env={**os.environ, "TOKEN": "secret"})
        provisioner.exit_report                        # KernelExit(code, signal, peak_memory, oom, infrastructure)

`kernel_manager(kernel_name, *, host=None, cold=False, memory_limit=None, threads=None, imports=())` returns a
`jupyter_client.AsyncKernelManager`. Without `host` the process's own one is used (`host()`, made at first use,
closed at exit). `python3`, `workbench` and any other ipykernel of this interpreter start warm, other local
kernels cold through the same host, kernels of other provisioners (clusters) as their kernelspec says.
`start_kernel` raises `workbench.errors.KernelError` when a kernel cannot be started. Variables that only an
interpreter's start can follow (PYTHONHASHSEED, LANG, LD_PRELOAD, …) make a kernel cold when they differ from
the owner's at the start of the host: set them before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench.kernels.client import KernelHost, host, is_supported
    from workbench.kernels.jupyter import kernel_manager
    from workbench.kernels.provisioner import WorkbenchProvisioner
    from workbench.kernels.wire import KernelExit

__all__ = ["KernelExit", "KernelHost", "WorkbenchProvisioner", "host", "is_supported", "kernel_manager"]

_MODULES = {
    "KernelExit": "wire",
    "KernelHost": "client",
    "WorkbenchProvisioner": "provisioner",
    "host": "client",
    "is_supported": "client",
    "kernel_manager": "jupyter",
}


def __getattr__(name: str) -> Any:
    """Nothing is imported until it is used: the host, and a run with nothing to do, must start light."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
