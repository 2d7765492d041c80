"""A warm kernel is as clean as a cold one, and nothing passes from one to the next."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from workbench.kernels import KernelHost

from .conftest import IMPORTS, both, in_kernel, started


def test_the_imports_are_there_already(host: KernelHost) -> None:
    code = "import sys; print(sorted(m for m in ('pandas', 'sklearn.ensemble') if m in sys.modules))"
    warm, cold = both(code, host, imports=IMPORTS)
    assert (warm, cold) == ("['pandas', 'sklearn.ensemble']", "[]")


def test_surroundings_are_those_of_a_cold_kernel(host: KernelHost, tmp_path: Path) -> None:
    code = """
import numpy, pandas, sklearn.ensemble, matplotlib.pyplot  # some set variables, in the host as well
from os import environ; import os, sys, signal, threading, locale, gc
print([p for p in sys.path], sys.argv[0], len(sys.argv), sys.orig_argv[0], sys.executable, sys.flags)
print(os.getcwd(), os.getsid(0) == os.getpid() == os.getpgrp(), os.umask(0o22))
print(sorted((k, v) for k, v in os.environ.items() if k != 'JPY_PARENT_PID'))
print([signal.getsignal(s) for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE)])
print(signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, []))
print(sorted(t.name for t in threading.enumerate() if not t.name.startswith('Thread-')))
print(__name__, sorted(k for k in globals() if not k.startswith('_')))
print(gc.isenabled(), locale.getlocale(), sys.stdin.read() if not sys.stdin.closed else 'closed')
print([m for m in sys.modules if m.startswith('workbench')], get_ipython().execution_count)
print(os.environ['MPLBACKEND'], int(os.environ['JPY_PARENT_PID']) == os.getppid())
"""
    # The only thread more in a cold kernel looks for its parent's death.
    warm, cold = both(code, host, imports=IMPORTS, cwd=str(tmp_path), env={**os.environ, "TOKEN": "secret"})
    assert warm.splitlines()[1:] == cold.splitlines()[1:]
    until_connection_file = [out.splitlines()[0].partition("ipykernel_launcher")[0] for out in (warm, cold)]
    assert until_connection_file[0] == until_connection_file[1]


def test_open_files_are_those_of_a_cold_kernel(host: KernelHost) -> None:
    code = """
import os, re
print({fd: os.readlink(f'/proc/self/fd/{fd}') for fd in (0, 1, 2)}[0])
kinds = set()
for fd in os.listdir('/proc/self/fd'):
    try:
        kinds.add(re.sub(r'[0-9]+', 'N', os.readlink(f'/proc/self/fd/{fd}')))
    except OSError:
        pass  # listdir's own
print(sorted(kinds))
"""
    warm, cold = both(code, host)
    assert warm == cold


def test_nothing_passes_from_one_kernel_to_the_next(host: KernelHost, tmp_path: Path) -> None:
    leave = """
import os, sys, random, threading, warnings, logging, numpy as np, pandas as pd, matplotlib.pyplot as plt
secret = 1; np.leak = 1; pd.options.display.max_rows = 7; os.environ['LEAK'] = '1'; os.chdir('/')
sys.path.append('/leak'); plt.figure(); random.seed(1); np.random.seed(1); file = open('/dev/null')
warnings.simplefilter('error'); logging.getLogger().setLevel(1); threading.Thread(target=threading.Event().wait).start()
"""
    look = """
import os, sys, threading, warnings, logging, numpy as np, pandas as pd, matplotlib.pyplot as plt
print('secret' in globals(), hasattr(np, 'leak'), pd.options.display.max_rows, 'LEAK' in os.environ, os.getcwd(),
      '/leak' in sys.path, plt.get_fignums(), ('error', None, Warning, None, 0) in warnings.filters, logging.getLogger().level,
      any('wait' in t.name for t in threading.enumerate()))
"""

    async def run() -> tuple[str, str]:
        async with started(host=host, imports=IMPORTS, cwd=str(tmp_path)) as first:
            assert await first.run(leave) == ""
            async with started(host=host, imports=IMPORTS, cwd=str(tmp_path)) as second:
                during = await second.run(look)
        async with started(host=host, imports=IMPORTS, cwd=str(tmp_path)) as third:
            return during, await third.run(look)

    expected = f"False False 60 False {tmp_path} False [] False 30 False"
    assert asyncio.run(run()) == (expected, expected)


def test_random_numbers_differ(host: KernelHost) -> None:
    code = """
import random, uuid, tempfile, multiprocessing, numpy as np
print(random.random(), np.random.rand(), np.random.default_rng().random(), uuid.uuid4(), multiprocessing.current_process().authkey)
"""
    options = {"host": host, "imports": ["numpy"]}
    first = in_kernel(lambda kernel: kernel.run(code), **options)
    second = in_kernel(lambda kernel: kernel.run(code), **options)
    assert not set(first.split()) & set(second.split())


def test_project_modules_are_read_anew(tmp_path: Path) -> None:
    module = tmp_path / "features.py"
    module.write_text("VALUE = 1")
    with KernelHost(["json", "features"], excluded=[tmp_path]) as host:
        for value in ("1", "22"):
            module.write_text(f"VALUE = {value}")
            code = "import features; print(features.VALUE)"
            options = {"host": host, "cwd": str(tmp_path), "imports": ["features"]}
            assert in_kernel(lambda kernel, code=code: kernel.run(code), **options) == value


def test_threads_fit_what_the_step_may_use(host: KernelHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")
    code = """
import os, numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_info
x = np.random.rand(2000, 5)
HistGradientBoostingClassifier(max_iter=5).fit(x, x[:, 0] > .5).predict(x); x.T @ x
print({pool['num_threads'] for pool in threadpool_info()}, os.environ.get('OMP_NUM_THREADS'))
"""
    warm, cold = both(code, host, imports=IMPORTS, threads=1)
    assert warm == cold == "{1} 1"
    warm, cold = both(code, host, imports=IMPORTS)
    assert warm == cold == f"{{{len(os.sched_getaffinity(0))}}} None"


def test_python_settings_that_a_fork_cannot_follow_make_the_kernel_cold(host: KernelHost) -> None:
    code = "import sys; print(hash('a'), 'pandas' in sys.modules)"
    env = {**os.environ, "PYTHONHASHSEED": "0"}
    warm, cold = both(code, host, imports=IMPORTS, env=env)
    assert warm == cold


def test_pythonpath_is_followed(host: KernelHost, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    warm, cold = both("import sys; print(sys.path)", host, env=env)
    assert warm == cold
    assert str(tmp_path) in warm


def test_figures_are_shown_inline(host: KernelHost) -> None:
    code = "import matplotlib.pyplot as plt; plt.plot([1, 2]); print(plt.get_backend())"
    shown = []

    async def run(cold: bool) -> str:
        async with started(host=host, imports=IMPORTS, cold=cold) as kernel:
            keep = lambda message: shown.extend(message["content"].get("data", {}))  # noqa: E731
            await kernel.client.execute_interactive(
                "import matplotlib.pyplot as plt\nplt.plot([1])", output_hook=keep
            )
            return await kernel.run(code)

    warm, cold = asyncio.run(run(False)), asyncio.run(run(True))
    assert warm == cold
    assert shown.count("image/png") == 2


def test_the_debugger_does_not_take_warm_packages_for_the_kernel(host: KernelHost) -> None:
    code = """
files = get_ipython().kernel._kernel_modules
print(any('/ipykernel/' in file for file in files), any('/pandas/' in file for file in files))
"""
    assert both(code, host, imports=IMPORTS) == ("True False", "True False")
