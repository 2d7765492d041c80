"""Benchmarks that tell what they found as a mapping, put beside those that are timed against a peer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from statistics import mean
from typing import Any

from measure import Result

Facts = Callable[[Mapping[str, Any]], dict[str, bool]]


def _contracts(found: Mapping[str, Any]) -> dict[str, bool]:
    return {
        f"{found['rows']:,} rows × {found['columns']} columns against {found['rules']} rules in "
        f"{found['good_seconds']:.2f} s (2 s are allowed)": found["good_seconds"] < 2,
        f"one row of {found['one_row_columns']} columns in {found['one_row_ms']:.2f} ms": found["one_row_ms"]
        < 5,
    }


def _judging(found: Mapping[str, Any]) -> dict[str, bool]:
    equal, better = found["equal models"], found["better model"]
    return {
        f"of {found['repetitions']} pairs of equal models {equal['better']:.1%} were called better (5 % are allowed)": equal["better"] <= 0.05,
        f"of {found['repetitions']} better models {better['better']:.1%} were called so": better["better"] >= 0.95,
    }  # fmt: skip


def _promotion(found: Mapping[str, Any]) -> dict[str, bool]:
    return {
        f"a rollback takes {found['rollback_seconds']} s from the start of its process (5 s are allowed)": found["rollback_seconds"] <= 5,
        f"after {found['kills']} kills audit, alias and marker agreed {found['agreements']} times": found["kills"] == found["agreements"],
        f"{found['promoters']} promoters at once, winners by round: {found['winners']}": set(found["winners"]) == {1},
        f"the trail of {found['entries']} entries is whole": not found["trail_problems"],
    }  # fmt: skip


def _review(found: Mapping[str, Any]) -> dict[str, bool]:
    broken = next(each for name, each in found.items() if name.startswith("labels of"))
    leaking = found["arr_delay as a feature"]
    expanding, rolling = found["expanding, on July"], found["rolling, on October to December"]
    return {
        f"one carrier's labels turned round: refused for {', '.join(broken['failed'])}": any("carrier UA" in name for name in broken["failed"]),
        f"a feature that leaks: {leaking}": "arr_delay" in leaking,
        f"trained on all months up to June, judged on July: {expanding['outcome']}, promotable": bool(expanding["passed"]),
        f"trained on a rolling window, judged on October to December: {rolling['outcome']}, refused": not rolling["passed"],
    }  # fmt: skip


def _replay(found: Mapping[str, Any]) -> dict[str, bool]:
    against = found["performance against never"]
    auc, loss = against["auc"], against["log_loss"]
    months = next(iter(found["rolling"]["policies"]))["months"]
    refused = [each for each in months if each["did"] in ("refused", "set aside")]
    hurt = [n for n, each in enumerate(months) if each["did"] == "promoted" and each["right"] is False]
    return {
        f"on performance instead of never: AUC {auc['value']:+.4f} ({auc['low']:+.4f} to {auc['high']:+.4f}), log loss "
        f"{loss['value']:+.4f} ({loss['low']:+.4f} to {loss['high']:+.4f})": auc["low"] > 0 and loss["high"] < 0,
        f"on a rolling window {sum(bool(each['right']) for each in refused)} of {len(refused)} refusals were right": bool(refused),
        f"{len(hurt)} of its promotions were worse in the month after, and taken back then": all(
            months[n + 1]["did"] == "rolled back" for n in hurt
        ),
        f"a replay that is there already takes {found['seconds again']} s, and says the same": bool(found["same again"]),
    }  # fmt: skip


def _lab(found: Mapping[str, Any]) -> dict[str, bool]:
    cold, warm = found["medians"]["python3"], found["medians"]["workbench"]
    return {
        f"restart and run all in JupyterLab: {warm:.2f} s warm, {cold:.2f} s with python3, "
        f"{found['times_faster']:.1f} times faster": found["times_faster"] > 3,
    }


def _drift(found: Mapping[str, Any]) -> dict[str, bool]:
    quiet, peer, speed, log = (
        found[name] for name in ("alerts in unchanged weeks", "evidently in unchanged weeks", "speed", "log")
    )
    return {
        **{f"of {found['trials']} unchanged weeks, drawn {len(shares)} times, {_percents(shares)} alert on {name} (5 % are "
           f"allowed; Evidently's preset: some column in {peer['some column drifts']:.0%} of {peer['weeks']})":
           mean(shares) <= 0.05 for name, shares in quiet.items()},
        **{f"{name}, {each['effect']}: named first in {_percents(each['named first'])} of {found['trials']} (95 % wanted)":
           mean(each["named first"]) >= 0.95 for name, each in found["injected"].items()},
        f"20 columns × 100,000 rows in {speed['seconds']:.3f} s (0.15 s are allowed)": speed["seconds"] <= 0.15,
        f"{speed['times faster']:.0f} times Evidently's speed (25 wanted)": speed["times faster"] >= 25,
        f"agrees with Evidently: {speed['largest difference']}": speed["largest difference"]["wasserstein"] < 0.02
        and speed["largest difference"]["jensen_shannon"] < 0.001 and speed["largest difference"]["psi"] < 0.005,
        f"{log['rows']:,} rows of the log in {log['seconds']} s (10 s are allowed)": log["seconds"] <= 10,
        f"and {log['peak_memory_gb']} GB (1 GB is allowed)": log["peak_memory_gb"] < 1,
    }  # fmt: skip


def _percents(shares: Sequence[float]) -> str:
    return " / ".join(f"{share:.1%}" for share in shares)


KINDS: dict[str, tuple[str, Facts]] = {
    "contracts": ("Contracts", _contracts),
    "judging": ("The gate is not fooled by noise", _judging),
    "promotion": ("Promotion: rollback, kills, a crowd", _promotion),
    "review": ("The gate on the real year", _review),
    "replay": ("The year as it would have been", _replay),
    "drift": ("Monitoring is not fooled, and finds what changed", _drift),
    "lab": ("JupyterLab in a real browser", _lab),
}


def benchmark(name: str) -> Callable[[Path, int], Result]:
    """The benchmark in the module of that name, as one of the report's."""

    def run(root: Path, rounds: int) -> Result:
        title, facts = KINDS[name]
        found = import_module(name).measure()
        shown = json.dumps(found, indent=1, default=str)
        return Result(title, {}, (), facts(found), ("```json", shown, "```"))

    return run
