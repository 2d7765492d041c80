"""Jupyter's kernel manager and client, set up for our kernels."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from queue import Empty
from time import monotonic
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager

from workbench.kernels.client import KernelHost
from workbench.kernels.provisioner import WorkbenchProvisioner


class PromptKernelClient(AsyncKernelClient):
    """Ready when the kernel has said so, where Jupyter's own waits 0.2 s for messages that do not come."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Wait until the kernel answers on both channels. Raises RuntimeError when it is dead or too slow."""
        deadline = monotonic() + (timeout or float("inf"))
        while monotonic() < deadline:
            asked = self.kernel_info()
            try:
                reply = await self._answer(self.get_shell_msg, asked, min(1.0, deadline - monotonic()))
                await self._answer(self.get_iopub_msg, asked, 0.05)
            except Empty:
                if not await self.is_alive():
                    raise RuntimeError("Kernel died before replying to kernel_info") from None
                continue
            self._handle_kernel_info_reply(reply)
            return
        raise RuntimeError(f"Kernel didn't respond in {timeout} seconds")

    async def _answer(self, receive: Any, asked: str, patience: float) -> dict[str, Any]:
        """The reply, or the `idle` status, to the message `asked`; raises Empty when it does not come."""
        deadline = monotonic() + patience
        while True:
            message: dict[str, Any] = await receive(timeout=max(0.0, deadline - monotonic()))
            busy = message["msg_type"] == "status" and message["content"]["execution_state"] != "idle"
            if message["parent_header"].get("msg_id") == asked and not busy:
                return message


class PromptKernelManager(AsyncKernelManager):
    """Jupyter's, without the 0.01 s that it sleeps after each start and each end for the sake of its own tests."""

    start_kernel = AsyncKernelManager._async_start_kernel.__wrapped__  # type: ignore[attr-defined]
    shutdown_kernel = AsyncKernelManager._async_shutdown_kernel.__wrapped__  # type: ignore[attr-defined]

    async def start_ahead(self, **kwargs: Any) -> None:
        """Ask for the kernel that `start_kernel` will be asked for with the same arguments; does not wait for it."""
        if isinstance(self.provisioner, WorkbenchProvisioner):
            command, rest = await self.pre_start_kernel(**kwargs)
            self.provisioner.launch_ahead(command, **rest)

    def let_go(self) -> None:
        """Nobody will come for the kernel that was started ahead."""
        if isinstance(self.provisioner, WorkbenchProvisioner):
            self.provisioner.let_go()


def kernel_manager(
    kernel_name: str,
    *,
    host: KernelHost | None = None,
    cold: bool = False,
    memory_limit: int | None = None,
    threads: int | None = None,
    imports: Iterable[str] = (),
) -> PromptKernelManager:
    """A kernel manager for one kernel. See `workbench.kernels`."""
    km = PromptKernelManager(kernel_name=kernel_name, kernel_id=str(uuid.uuid4()))
    spec = km.kernel_spec
    assert spec is not None  # get_kernel_spec raises NoSuchKernel
    provided = spec.metadata.get("kernel_provisioner", {}).get("provisioner_name")
    if provided not in (None, "local-provisioner", "workbench-provisioner"):
        return km
    km.client_class = f"{__name__}.{PromptKernelClient.__name__}"
    arguments = ["--HistoryManager.hist_file=:memory:"] if "ipykernel_launcher" in spec.argv else []
    km.provisioner = WorkbenchProvisioner(
        kernel_id=km.kernel_id,
        kernel_spec=km.kernel_spec,
        parent=km,
        host=host,
        cold=cold,
        memory_limit=memory_limit,
        threads=threads,
        imports=list(imports),
        arguments=arguments,
    )
    return km
