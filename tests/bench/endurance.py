"""What is counted rather than timed: a thousand kernels leave nothing, fifty kills lose nothing."""

from __future__ import annotations

import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

from contestants import calm, ours
from e2e.kills import kill_run, manifests, still_running
from measure import PYTHON, Result, say
from pipelines import Notebook, write_project

from workbench.settings import Project, read_project

SOAK = Path(__file__).parents[1] / "kernels" / "soak.py"
KERNELS, KILLS = 1000, 50
NOISE_KIB, NOISE_FILES = 20_000, 4
"""Memory of owner or host that may come and go, and descriptors that may be open at one look and not at another."""


def soak(root: Path, rounds: int) -> Result:
    """A thousand notebooks through one kernel host."""
    done = subprocess.run(
        [PYTHON, SOAK, str(KERNELS), "2"], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the soak test failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    early, late = found["early"], found["late"]
    growth = {name: late[name] - early[name] for name in early}
    facts = {
        f"{found['kernels']} kernels were started": found["kernels"] == KERNELS,
        f"memory grew by {growth['host_kib']} KiB in the host and {growth['owner_kib']} KiB in the owner": max(
            growth["host_kib"], growth["owner_kib"]
        )
        < NOISE_KIB,
        f"descriptors: {growth['host_files']:+d} in the host, {growth['owner_files']:+d} in the owner": max(
            growth["host_files"], growth["owner_files"]
        )
        <= NOISE_FILES,
        f"threads of the owner: {growth['owner_threads']:+d}": growth["owner_threads"] <= 0,
        "no process, socket or file was left": not (
            late["children_of_host"]
            or found["host_running"]
            or found["folder_exists"]
            or [name for name in late["left_in_folder"] if not name.startswith("host")]
        ),
    }
    notes = (
        f"A kernel took {found['median_seconds']} s (median of all, two at a time), at most {found['slowest_seconds']} s.",
    )
    return Result(f"{KERNELS} notebooks through one kernel host", {}, (), facts, notes)


def kills(root: Path, rounds: int) -> Result:
    """`kill -9` at fifty moments of a run with MLflow, each on a project of its own."""
    undisturbed = _project(root / "kills")
    began = time.perf_counter()
    ours(undisturbed.root, "run", "kills")
    length = time.perf_counter() - began
    calm(undisturbed.root)
    wanted = _outputs(undisturbed)
    seed = int(time.time())
    moments = [random.Random(seed + number).uniform(0, length) for number in range(KILLS)]
    troubles: list[str] = []
    slowest, kept, in_time = 0.0, 0, 0
    for number, moment in enumerate(moments):
        project = _project(root / f"kill{number}" / "kills")
        killed = kill_run(project, "kills", moment)
        say(f"    kill {number + 1} of {KILLS} after {moment:.2f} s: {len(killed.committed)} steps committed")
        slowest, kept = max(slowest, killed.seconds), kept + len(killed.committed)
        in_time += killed.in_time
        ours(project.root, "run", "kills", "--wait")
        calm(project.root)
        found = {
            "a process was left": bool(killed.left),
            "a committed step ran again": not killed.committed.items() <= manifests(project).items(),
            "outputs differ": _outputs(project) != wanted,
            "a run is still 'running'": bool(still_running(project)),
            "its scratch folder was left": any(project.running.iterdir()),
        }
        troubles += [
            f"kill {number + 1} after {moment:.2f} s: {what}" for what, is_so in found.items() if is_so
        ]
    facts = {
        f"{KILLS} runs killed at random moments of their {length:.1f} s; each next run completed, repeated none of the "
        f"{kept} committed steps, made the outputs of an undisturbed run, left nothing 'running'": not troubles,
    }
    killed_runs = f"Seed {seed}; {in_time} of the {KILLS} runs had not ended before their moment."
    notes = (f"{killed_runs} No process was left {slowest:.1f} s after a kill, at the latest.", *troubles)
    return Result(f"kill -9 at {KILLS} random moments", {}, (), facts, notes)


def _project(folder: Path) -> Project:
    """Eight steps, two at a time, each with a child that would outlive it."""
    cells = (
        "import subprocess, time\nsubprocess.Popen(['sleep', '300'], start_new_session=True)",
        "time.sleep(0.1)",
        "open(out, 'w').write((open(source).read() if source else '') + out.rsplit('/', 1)[-1])",
    )
    notebooks = [
        Notebook(
            f"{lane}{n}",
            cells,
            {"source": f"{lane}{n - 1}.out"} if n else {"source": "start.out"},
            {"out": f"{lane}{n}"},
        )
        for lane in "ab"
        for n in range(4)
    ]
    start = Notebook("start", ("open(out, 'w').write('start')",), {}, {"out": "start"})
    return read_project(write_project(folder, "kills", [start, *notebooks]))


def _outputs(project: Project) -> dict[str, Any]:
    """Digest of each output by step, out of the manifests."""
    found = [json.loads(file.read_text()) for file in project.store.glob("manifests/*/*.json")]
    return {
        each["step"]: {name: stored["digest"] for name, stored in each["outputs"].items()} for each in found
    }
