"""What others do with a kernel, without our command line: papermill, nbconvert, nbval, JupyterLab."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook, new_output

from workbench import kernels
from workbench.kernels import KernelHost, kernel_manager, linux

from .conftest import Started, gone, in_kernel, started, wait_until

BIN = Path(sys.executable).parent
WHO = "import os, sys\nprint('workbench' if 'kernel-guard' in open(f'/proc/{os.getppid()}/comm').read() else 'other')"


TOOLS = {
    "papermill": (f"{BIN}/papermill", "notebook.ipynb", "out.ipynb", "-k", "workbench"),
    "nbconvert": (
        *(f"{BIN}/jupyter", "nbconvert", "--to", "notebook", "--execute", "notebook.ipynb"),
        *("--ExecutePreprocessor.kernel_name=workbench", "--output", "out"),
    ),
    "execute": (f"{BIN}/jupyter", "execute", "--kernel_name=workbench", "--output", "out", "notebook.ipynb"),
    "nbval": (
        *(sys.executable, "-m", "pytest", "--nbval", "--nbval-kernel-name", "workbench"),
        *("-p", "no:cacheprovider", "-q", "notebook.ipynb"),
    ),
}


@pytest.fixture
def sockets() -> Iterator[Path]:
    """Where kernel hosts make their folders; a short path, as sockets need one."""
    with tempfile.TemporaryDirectory(prefix="wb-") as folder:
        yield Path(folder)


@pytest.fixture
def run(tmp_path: Path, sockets: Path) -> Callable[[str, str], subprocess.CompletedProcess[str]]:
    """Have a tool execute a notebook with one cell; when it has ended, nothing of its kernel is left."""

    def run(tool: str, code: str) -> subprocess.CompletedProcess[str]:
        cell = new_code_cell(code, outputs=[new_output("stream", text="workbench\n")], execution_count=1)
        spec = {"name": "python3", "display_name": "cold", "language": "python"}
        nbformat.write(new_notebook(cells=[cell], metadata={"kernelspec": spec}), tmp_path / "notebook.ipynb")
        env = {**os.environ, "XDG_RUNTIME_DIR": str(sockets)}
        done = subprocess.run(
            TOOLS[tool], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        wait_until(lambda: not list(sockets.iterdir()) and not _processes_in(tmp_path))
        return done

    return run


def _processes_in(folder: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()) == folder:
                found.append(process.pid)
    return found


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_by_name_of_the_kernelspec(run: Any, tmp_path: Path, tool: str) -> None:
    done = run(tool, WHO)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "encryption" not in done.stderr
    if tool != "nbval":  # which compares with the stored output itself
        assert nbformat.read(tmp_path / "out.ipynb", 4).cells[-1].outputs[0].text == "workbench\n"


@pytest.mark.parametrize("tool", ["papermill", "execute"])
def test_a_failing_cell_fails_the_tool(run: Any, tool: str) -> None:
    done = run(tool, "import subprocess\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\n1 / 0")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout + done.stderr


@pytest.mark.parametrize("tool", ["papermill", "nbconvert"])  # nbval waits for a dead kernel for half an hour
def test_a_dying_kernel_fails_the_tool(run: Any, tool: str) -> None:
    done = run(tool, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    assert done.returncode == (138 if tool == "papermill" else 1)  # papermill's own code for it
    assert "DeadKernelError" in done.stdout + done.stderr


def test_nbclient_ends_the_kernel_and_leaves_no_thread(host: KernelHost) -> None:
    async def execute() -> int:
        nb = new_notebook(cells=[new_code_cell("import os; print(os.getpid())")])
        km = kernel_manager("python3", host=host)
        provisioner = km.provisioner
        client = NotebookClient(nb, km=km, shutdown_kernel="immediate")
        client.owns_km = True
        await client.async_execute()
        assert provisioner.exit_report.signal == 9
        return int(nb.cells[0].outputs[0].text)

    assert gone(asyncio.run(execute()))


def test_blocking_manager_restarts(tmp_path: Path) -> None:
    km = KernelManager(kernel_name="workbench")
    km.start_kernel(cwd=str(tmp_path))
    try:
        first = km.provisioner.pid
        km.restart_kernel(now=True)
        assert km.provisioner.pid != first
        client = km.client()
        client.start_channels()
        client.wait_for_ready(timeout=30)
        assert client.execute_interactive("1 + 1", timeout=30)["content"]["status"] == "ok"
        client.stop_channels()
    finally:
        km.shutdown_kernel(now=True)
    assert not Path(km.connection_file).exists()


@pytest.mark.parametrize("merged", [False, True], ids=["stderr", "stderr to stdout"])
def test_streams_of_the_owner_are_used(host: KernelHost, tmp_path: Path, merged: bool) -> None:
    """As `subprocess.Popen` takes them: files, DEVNULL, STDOUT."""
    code = "import os\nos.write(1, b'out ')\nos.write(2, b'err')\nprint(os.readlink('/proc/self/fd/0'))"

    async def execute(file: Any) -> str:
        km = kernel_manager("python3", host=host)
        streams = {"stdout": file, "stderr": subprocess.STDOUT} if merged else {"stderr": file}
        await km.start_kernel(stdin=subprocess.DEVNULL, cwd=str(tmp_path), **streams)
        client = km.client()
        client.start_channels()
        await client.wait_for_ready(timeout=30)
        printed = await Started(km, client).run(f"{WHO}\n{code}")
        client.stop_channels()
        await km.shutdown_kernel(now=True)
        return printed

    with (tmp_path / "file").open("wb") as file:
        assert asyncio.run(execute(file)).splitlines() == ["workbench", os.devnull]
    assert (tmp_path / "file").read_text() == ("out err" if merged else "err")


def test_pipes_are_left_to_jupyter(host: KernelHost) -> None:
    async def execute() -> None:
        km = kernel_manager("python3", host=host)
        await km.start_kernel(stdout=subprocess.PIPE)
        process = km.provisioner.process
        assert process.stdout is not None
        await km.shutdown_kernel(now=True)
        process.stdout.close()

    asyncio.run(execute())


def test_input(host: KernelHost) -> None:
    async def execute() -> str:
        async with started(host=host) as kernel:
            kernel.client.execute("answer = input('name? ')", allow_stdin=True)
            request = await kernel.client.get_stdin_msg(timeout=10)
            assert request["content"]["prompt"] == "name? "
            kernel.client.input("Ada")
            return await kernel.run("print(answer)")

    assert asyncio.run(execute()) == "Ada"


def test_comms_and_subshells(host: KernelHost) -> None:
    code = """
from comm import get_comm_manager
get_comm_manager().register_target('echo', lambda comm, message: comm.send({'got': message['content']['data']}))
"""

    async def execute() -> Any:
        async with started(host=host) as kernel:
            await kernel.run(code)
            content = {"comm_id": "1", "target_name": "echo", "data": {"x": 1}}
            kernel.client.shell_channel.send(kernel.client.session.msg("comm_open", content))
            while True:
                message = await kernel.client.get_iopub_msg(timeout=10)
                if message["msg_type"] == "comm_msg":
                    break
            control = kernel.client.control_channel
            control.send(kernel.client.session.msg("create_subshell_request"))
            return message["content"]["data"], (await control.get_msg(timeout=10))["content"]["status"]

    assert asyncio.run(execute()) == ({"got": {"x": 1}}, "ok")


@pytest.mark.parametrize("cold", [False, True], ids=["warm", "cold"])
def test_debugger(host: KernelHost, cold: bool) -> None:
    async def execute() -> Any:
        async with started(host=host, cold=cold) as kernel:

            async def ask(command: str, sequence: int, **arguments: Any) -> Any:
                content = {"type": "request", "command": command, "seq": sequence, "arguments": arguments}
                kernel.client.control_channel.send(kernel.client.session.msg("debug_request", content))
                return (await kernel.client.control_channel.get_msg(timeout=20))["content"]

            info = await ask("debugInfo", 1)
            code = "def f(x):\n    y = x + 1\n    return y\nprint(f(1))"
            await ask("initialize", 2, clientID="t", adapterID="", pathFormat="path", linesStartAt1=True)
            attached = await ask("attach", 3)
            dumped = await ask("dumpCell", 4, code=code)
            path = dumped["body"]["sourcePath"]
            await ask(
                "setBreakpoints", 5, source={"path": path}, breakpoints=[{"line": 2}], sourceModified=False
            )
            await ask("configurationDone", 6)
            kernel.client.execute(code)
            while True:
                message = await kernel.client.get_iopub_msg(timeout=20)
                if message["msg_type"] == "debug_event" and message["content"]["event"] == "stopped":
                    break
            frames = await ask("stackTrace", 7, threadId=message["content"]["body"]["threadId"])
            await ask("continue", 8, threadId=message["content"]["body"]["threadId"])
            stack = [(frame["name"], frame["line"]) for frame in frames["body"]["stackFrames"]]
            return info["success"], attached["success"], stack

    assert asyncio.run(execute()) == (True, True, [("f", 2), ("<module>", 4)])


def test_the_kernelspec_promises_what_ipykernels_own_does() -> None:
    ours = json.loads((Path(kernels.__file__).parent / "kernelspec" / "kernel.json").read_text())
    assert ours["metadata"].pop("kernel_provisioner") == {"provisioner_name": "workbench-provisioner"}
    for key in ("language", "metadata", "kernel_protocol_version"):
        assert ours[key] == get_kernel_dict()[key]


def test_encryption_where_it_is_required(host: KernelHost) -> None:
    async def execute() -> tuple[bool, str]:
        km = kernel_manager("python3", host=host)
        await km.start_kernel(transport_encryption="required")
        client = km.client()
        client.start_channels()
        await client.wait_for_ready(timeout=30)
        printed = await Started(km, client).run(WHO)
        client.stop_channels()
        await km.shutdown_kernel(now=True)
        return "curve_publickey" in km.get_connection_info(), printed

    assert asyncio.run(execute()) == (True, "workbench")


def test_widgets_state_is_kept(host: KernelHost) -> None:
    async def execute() -> Any:
        nb = new_notebook(cells=[new_code_cell("import ipywidgets; ipywidgets.IntSlider(3)")])
        client = NotebookClient(nb, km=kernel_manager("python3", host=host), shutdown_kernel="immediate")
        client.owns_km = True
        await client.async_execute()
        return nb.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]

    assert any(entry["model_name"] == "IntSliderModel" for entry in asyncio.run(execute()).values())


class Server:
    """A Jupyter server and its REST interface."""

    def __init__(self, url: str, runtime: Path) -> None:
        self.url = url
        self.runtime = runtime

    def ask(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": "token test", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            text = response.read()
        return json.loads(text) if text else None

    def execute(self, kernel: str, code: str) -> str:
        """What `code` prints, through the connection file that the server wrote."""
        client = BlockingKernelClient(connection_file=str(self.runtime / f"kernel-{kernel}.json"))
        client.load_connection_file()
        client.start_channels()
        texts: list[str] = []
        try:
            client.wait_for_ready(timeout=30)
            client.execute_interactive(
                code, output_hook=lambda message: texts.append(_text(message)), timeout=30
            )
        finally:
            client.stop_channels()
        return "".join(texts).strip()


def _text(message: dict[str, Any]) -> str:
    return str(message["content"].get("text", message["content"].get("ename", "")))


@pytest.fixture
def server(tmp_path: Path, free_port: int) -> Iterator[Server]:
    runtime = tmp_path / "runtime"
    env = {**os.environ, "JUPYTER_RUNTIME_DIR": str(runtime), "IPYTHONDIR": str(tmp_path / "ipython")}
    options = (
        "--no-browser",
        f"--port={free_port}",
        "--IdentityProvider.token=test",
        "--allow-root",
        "--ServerApp.jpserver_extensions={}",
    )
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            [f"{BIN}/jupyter-server", *options], cwd=tmp_path, env=env, stdout=log, stderr=log
        ) as process,
    ):
        url = f"http://127.0.0.1:{free_port}"
        server = Server(url, runtime)
        wait_until(lambda: answers(server), 30)
        try:
            yield server
        finally:
            below = linux.descendants(process.pid)
            process.terminate()
            process.wait(20)
            wait_until(lambda: gone(*below))


def answers(server: Server) -> bool:
    try:
        return bool(server.ask("GET", "/api/status"))
    except OSError:
        return False


def test_jupyter_server(server: Server) -> None:
    kernel = server.ask("POST", "/api/kernels", {"name": "workbench"})["id"]
    assert server.execute(kernel, WHO) == "workbench"
    assert server.execute(kernel, "import sys, numpy; x = 1; print('pandas' in sys.modules)") == "False"

    # A restarted kernel is new, soon there, and finds imported what the one before it has imported.
    start = time.monotonic()
    server.ask("POST", f"/api/kernels/{kernel}/restart")
    assert time.monotonic() - start < 2
    look = "print('x' in globals(), 'numpy' in __import__('sys').modules)"

    def is_warm() -> bool:
        server.ask("POST", f"/api/kernels/{kernel}/restart")
        seen = server.execute(kernel, look)
        assert seen.startswith("False")
        return seen == "False True"

    wait_until(is_warm, 15)

    pid = int(server.execute(kernel, "import os; print(os.getpid())"))
    server.ask("POST", f"/api/kernels/{kernel}/interrupt")
    assert server.execute(kernel, "print(1 + 1)") == "2"
    server.ask("DELETE", f"/api/kernels/{kernel}")
    assert gone(pid)


def test_another_language_runs_cold(
    host: KernelHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {
        "argv": ["env", sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "language": "other",
        "display_name": "Other",
    }
    (tmp_path / "kernels" / "other").mkdir(parents=True)
    (tmp_path / "kernels" / "other" / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    assert in_kernel(lambda kernel: kernel.run(WHO), kernel_name="other", host=host) == "workbench"
