"""Native thread pools (BLAS, OpenMP): none while the host imports, the right number in each kernel."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
VARIABLES = ("OMP_NUM_THREADS", *BLAS_VARIABLES)

HOST_ENVIRONMENT = {
    # OpenBLAS makes its pool when it is loaded, and a pool does not survive a fork. libgomp makes its pool at
    # the first parallel region, so OMP_NUM_THREADS can stay what the user has set.
    **dict.fromkeys(BLAS_VARIABLES, "1"),
    # Arrow's copy of jemalloc starts a thread when it is loaded (apache/arrow#17285).
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # debugpy prints three lines about frozen modules when it is imported.
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}

_pools: list[Any] = []
_seen = 0


def find_pools() -> None:
    """Look for loaded BLAS and OpenMP libraries, in the host, so that kernels need not (5-10 ms each)."""
    global _seen
    if len(sys.modules) == _seen:
        return
    from threadpoolctl import ThreadpoolController

    _pools[:] = ThreadpoolController().lib_controllers
    _seen = len(sys.modules)


def with_limits(env: Mapping[str, str], threads: int | None) -> dict[str, str]:
    """`env` in which libraries that are loaded later, and child processes, use `threads` threads."""
    return dict(env) if threads is None else {**env, **dict.fromkeys(VARIABLES, str(threads))}


def set_limits(threads: int | None, env: Mapping[str, str]) -> None:
    """Give the pools that the host has loaded the size they would have in a fresh process with `env`."""
    for pool in _pools:
        pool.set_num_threads(threads or _configured(pool.user_api, env) or _cores())


def _configured(api: str, env: Mapping[str, str]) -> int | None:
    names = (*BLAS_VARIABLES[:3], "OMP_NUM_THREADS") if api == "blas" else ("OMP_NUM_THREADS",)
    for name in names:
        value = env.get(name, "").split(",")[0].strip()
        if value.isdigit() and int(value) > 0:
            return int(value)
    return None


def _cores() -> int:
    return len(os.sched_getaffinity(0))
