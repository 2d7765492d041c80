"""The gate: evidence about a model version in, a verdict with reasons out. Pure.

Evidence is one mapping, as JSON has it. The pipeline's `model: evidence:` output brings (see `workbench.evidence`):

    directions   {metric: "higher" | "lower"}, which is better
    metrics      {metric: {value, low, high}}, of the candidate on the test rows
    baseline     {name, difference: {metric: {value, low, high}}}, candidate minus baseline, paired
    champion     null, or {digest, difference: …}: the champion scored again on the same rows
    slices       [{column, value, rows, measured, baseline: {metric: …}, champion: {metric: …}}]
    seeds        {metric: [value, …]}, the candidate trained again with other seeds
    behaviour    [{name, expect, rows, violations, allowed, worst}]
    predictions  {rows, not_finite}
    features     {used: [column, …], never: [column, …]}

and whoever judges adds what only the registered version shows:

    serves       null, or {version, digest}: the champion at the time of judging
    serving      {error} or {golden: {rows, different, largest}, latency_ms, size}
    provenance   {commit, dirty, contract, lock, inputs}

A threshold that cannot be evaluated fails, with the reason.

Comparisons have three outcomes, so that noise neither promotes nor blocks: **better** when the interval of the
difference lies wholly on the good side and the difference is more than the margin, **worse** when wholly on the bad side and
more than the margin, else **equivalent**. With intervals of 95 % two models that are the same are called better in at
most 2.5 % of cases, whatever the margin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any, Literal

from workbench.setting_keys import parse_duration, parse_size

Outcome = Literal["first", "better", "equivalent", "worse", "unknown"]
"""Against the champion; `first`: there is none; `unknown`: nothing tells."""

Evidence = Mapping[str, Any]
Declared = Mapping[str, Any]
Judge = Callable[[Mapping[str, Any], Mapping[str, Any]], "Iterator[Threshold]"]
"""What is declared and the evidence in, thresholds out."""


@dataclass(frozen=True)
class Threshold:
    """One rule, and how it went."""

    gate: str
    name: str
    passed: bool
    reason: str
    found: Any = None


@dataclass(frozen=True)
class Verdict:
    """Whether a version may be promoted, and why."""

    passed: bool
    outcome: Outcome
    thresholds: tuple[Threshold, ...] = field(default=())

    @property
    def failures(self) -> tuple[Threshold, ...]:
        return tuple(threshold for threshold in self.thresholds if not threshold.passed)

    @property
    def summary(self) -> str:
        """One sentence: what decided."""
        if self.passed:
            how = {"first": "there is no champion yet", "unknown": "not compared with a champion"}
            return f"passed {len(self.thresholds)} of {len(self.thresholds)} thresholds; " + how.get(
                self.outcome,
                f"{self.outcome} {'to' if self.outcome == 'equivalent' else 'than'} the champion",
            )
        if not self.failures:
            return "failed: no gate is declared"
        telling = min(self.failures, key=lambda threshold: threshold.gate != "champion")
        more = f" (and {len(self.failures) - 1} more)" if len(self.failures) > 1 else ""
        return f"failed: {telling.name}: {telling.reason}{more}"

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "outcome": self.outcome,
            "summary": self.summary,
            "thresholds": [asdict(threshold) for threshold in self.thresholds],
        }


class CannotTell(Exception):  # noqa: N818 - an outcome rather than an error
    """The evidence does not say; its text is the reason for which the threshold fails."""


def judge(gates: Declared, evidence: Evidence) -> Verdict:
    """The verdict on a version: passed when there is at least one threshold and every one passed."""
    found: list[Threshold] = []
    for kind, declared in gates.items():
        found += _evaluated(kind, _JUDGES[kind], declared, evidence)
    if "champion" in gates or "slices" in gates:
        found += _evaluated("champion", _same_champion, {}, evidence)
    found += _evaluated("predictions", _finite, {}, evidence)
    passed = bool(gates) and all(threshold.passed for threshold in found)
    return Verdict(passed, _outcome(gates, evidence), tuple(found))


def _evaluated(kind: str, judge: Judge, declared: Declared, evidence: Evidence) -> list[Threshold]:
    """What one judge says. A notebook wrote the evidence, so anything may be in it: that fails, and never raises."""
    try:
        return list(judge(declared, evidence))
    except CannotTell as reason:
        return [Threshold(kind, kind, False, f"cannot be evaluated: {reason}")]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        return [Threshold(kind, kind, False, f"cannot be evaluated: the evidence is malformed ({error})")]


def compared(difference: Mapping[str, Any], margin: float, *, higher_is_better: bool) -> Outcome:
    """Which of the three outcomes a difference {value, low, high} is."""
    sign = 1 if higher_is_better else -1
    value = sign * _number(difference, "value")
    limits = sorted((sign * _number(difference, "low"), sign * _number(difference, "high")))
    if limits[0] > 0 and value > margin:
        return "better"
    if limits[1] < 0 and value < -margin:
        return "worse"
    return "equivalent"


# The judges, one a kind of gate


def _metrics(declared: Declared, evidence: Evidence) -> Iterator[Threshold]:
    metrics = _table(evidence, "metrics")
    for metric, bound in declared.items():
        name = f"{metric} {_bound_text(bound)}"
        try:
            found = _table(metrics, metric)
            low, high = ("low", "high") if bound.get("confident") else ("value", "value")
            above = "min" not in bound or _number(found, low) >= bound["min"]
            below = "max" not in bound or _number(found, high) <= bound["max"]
            shown = f"{metric} is {_interval(found)}"
            wanted = "" if above and below else f", expected {_bound_text(bound)}"
            yield Threshold("metrics", name, above and below, shown + wanted, dict(found))
        except CannotTell as reason:
            yield Threshold("metrics", name, False, f"cannot be evaluated: {reason}")


def _baseline(declared: Declared, evidence: Evidence) -> Iterator[Threshold]:
    baseline = _table(evidence, "baseline")
    outcome, text, difference = _comparison(declared, evidence, baseline)
    name = f"better than the baseline '{baseline.get('name', '?')}' by {declared['metric']}"
    yield Threshold("baseline", name, outcome == "better", f"{outcome}: {text}", difference)


def _champion(declared: Declared, evidence: Evidence) -> Iterator[Threshold]:
    wanted = declared.get("require", "equivalent")
    name = f"{'better' if wanted == 'better' else 'not worse'} than the champion by {declared['metric']}"
    if _known(evidence, "champion") is None:
        yield Threshold("champion", name, True, "there is no champion yet")
        return
    outcome, text, difference = _comparison(declared, evidence, _table(evidence, "champion"))
    passed = outcome == "better" or (outcome == "equivalent" and wanted == "equivalent")
    yield Threshold("champion", name, passed, f"{outcome}: {text}", difference)


def _slices(declared: Declared, evidence: Evidence) -> Iterator[Threshold]:
    against = declared.get("against") or ("champion" if evidence.get("champion") else "baseline")
    metric, margin = declared["metric"], float(declared.get("margin", 0))
    higher = _higher_is_better(evidence, metric)
    slices = _known(evidence, "slices")
    measured = [each for each in slices if each.get("measured")]
    name = f"no slice worse than the {against} by {metric}"
    if not measured:
        raise CannotTell(f"none of {len(slices)} slices has enough rows")
    if against == "champion" and not evidence.get("champion"):
        yield Threshold("slices", name, True, "there is no champion yet")
        return
    worse = False
    for each in measured:
        difference = _table(_table(each, against), metric)
        if compared(difference, margin, higher_is_better=higher) == "worse":
            worse = True
            where = f"{each['column']} {each['value']}"
            text = f"{each['rows']} rows: {metric} changes by {_interval(difference)}, margin {margin:g}"
            yield Threshold("slices", f"{where} not worse than the {against}", False, text, dict(each))
    if not worse:
        text = f"{len(measured)} slices measured, {len(slices) - len(measured)} too small to measure"
        yield Threshold("slices", name, True, text)


def _seeds(declared: Declared, evidence: Evidence) -> Iterator[Threshold]:
    metric, limit = declared["metric"], float(declared["max_spread"])
    values = _known(_table(evidence, "seeds"), metric)
    if not isinstance(values, Sequence) or len(values) < 2:
        raise CannotTell(f"the evidence has {metric} for fewer than two seeds")
    spread = max(values) - min(values)
    text = f"{metric} of {len(values)} seeds is from {min(values):.4f} to {max(values):.4f}"
    name = f"{metric} stable across seeds within {limit:g}"
    yield Threshold("seeds", name, spread <= limit, f"{text}, {spread:.4f} apart", list(values))


def _behaviour(declared: Declared, evidence: Evidence) -> Iterator[Threshold]:
    tests = _known(evidence, "behaviour")
    least = int(declared.get("min_tests", 1))
    if len(tests) < least:
        raise CannotTell(f"the evidence has {len(tests)} behaviour tests, expected {least} or more")
    for test in tests:
        rows, broken = _number(test, "rows"), _number(test, "violations")
        name = str(test.get("name", "?"))
        if not rows:
            yield Threshold("behaviour", name, False, "cannot be evaluated: no row to test it on")
            continue
        allowed = float(test.get("allowed", 0))
        text = f"{int(broken)} of {int(rows)} rows break it ({broken / rows:.1%}, {allowed:.1%} allowed)"
        if broken and test.get("worst"):
            text += f"; the worst: {test['worst']}"
        yield Threshold("behaviour", name, broken / rows <= allowed, text, dict(test))


def _features(declared: Declared, evidence: Evidence) -> Iterator[Threshold]:
    features = _table(evidence, "features")
    used = _known(features, "used")
    never = dict.fromkeys([*declared.get("never", ()), *features.get("never", ())])
    found = [column for column in used if column in never]
    name = "no feature of the deny-list"
    if not never:
        raise CannotTell("neither the gate nor the contract names a column that must never be a feature")
    text = f"{len(used)} features, none of the {len(never)} denied" if not found else ""
    yield Threshold("features", name, not found, text or f"the model uses {', '.join(found)}", found)


def _serving(declared: Declared, evidence: Evidence) -> Iterator[Threshold]:
    serving = _table(evidence, "serving")
    loads = "loads in a fresh process from the registry alone"
    if error := serving.get("error"):
        yield Threshold("serving", loads, False, str(error))
        return
    yield Threshold("serving", loads, True, "its files are what was registered, and hold allowed types only")
    golden = _table(serving, "golden")
    rows, different = _number(golden, "rows"), _number(golden, "different")
    text = f"{int(rows)} requests answered exactly as when it was trained"
    if different:
        text = f"{int(different)} of {int(rows)} answers differ, by up to {golden.get('largest')}"
    yield Threshold("serving", "answers the golden requests", rows > 0 and not different, text, dict(golden))
    if "max_latency" in declared:
        took, limit = _number(serving, "latency_ms"), parse_duration(declared["max_latency"]) * 1000
        text = f"one row takes {took:.1f} ms, {limit:g} ms allowed"
        yield Threshold("serving", f"one row within {limit:g} ms", took <= limit, text, took)
    if "max_size" in declared:
        size, most = _number(serving, "size"), parse_size(declared["max_size"])
        text = f"{size / 1e6:.2f} MB, {most / 1e6:g} MB allowed"
        yield Threshold("serving", f"not larger than {most / 1e6:g} MB", size <= most, text, size)


def _provenance(declared: Declared, evidence: Evidence) -> Iterator[Threshold]:
    known = _table(evidence, "provenance")
    commit, dirty = known.get("commit"), known.get("dirty")
    wanted = declared.get("commit", "recorded")
    text = (
        f"commit {str(commit)[:12]}{' with uncommitted changes' if dirty else ''}"
        if commit
        else "no git commit"
    )
    passed = bool(commit) and (wanted == "recorded" or dirty is False)
    yield Threshold("provenance", f"git commit {wanted}", passed, text, commit)
    inputs = known.get("inputs") or {}
    text = f"digests of {len(inputs)} inputs" if inputs else "no digest of the training data"
    yield Threshold("provenance", "data digests recorded", bool(inputs), text, dict(inputs))
    for key, what in (("contract", "contract attached"), ("lock", "environment lock recorded")):
        if declared.get(key, True):
            text = f"{key} {str(known[key])[:12]}" if known.get(key) else f"there is no {key}"
            yield Threshold("provenance", what, bool(known.get(key)), text, known.get(key))


_JUDGES: Mapping[str, Judge] = {
    "metrics": _metrics,
    "baseline": _baseline,
    "champion": _champion,
    "slices": _slices,
    "seeds": _seeds,
    "behaviour": _behaviour,
    "features": _features,
    "serving": _serving,
    "provenance": _provenance,
}


def _finite(_: Declared, evidence: Evidence) -> Iterator[Threshold]:
    """Whatever is declared: a model that answers NaN or infinity is broken."""
    found = _table(evidence, "predictions")
    rows, wrong = _number(found, "rows"), _number(found, "not_finite")
    text = f"{int(wrong)} of {int(rows)} predictions are not finite" if wrong else f"{int(rows)} predictions"
    yield Threshold("predictions", "no prediction is NaN or infinite", rows > 0 and not wrong, text)


def _same_champion(_: Declared, evidence: Evidence) -> Iterator[Threshold]:
    """Whether the version that the evidence compares with is the one that serves now."""
    now, then = _known(evidence, "serves") or {}, evidence.get("champion") or {}
    same = now.get("digest") == then.get("digest")
    serving = f"version {now.get('version')} serves" if now else "no version serves"
    text = (
        serving
        if same
        else f"{serving} now, which the evidence does not compare with: run the pipeline again"
    )
    yield Threshold("champion", "compared with the version that serves", same, text)


def _outcome(gates: Declared, evidence: Evidence) -> Outcome:
    if "champion" not in gates:
        return "unknown"
    try:
        if _known(evidence, "champion") is None:
            return "first"
        return _comparison(gates["champion"], evidence, _table(evidence, "champion"))[0]
    except (CannotTell, AttributeError, LookupError, TypeError, ValueError):
        return "unknown"


def _comparison(
    declared: Declared, evidence: Evidence, other: Mapping[str, Any]
) -> tuple[Outcome, str, dict[str, Any]]:
    """The outcome by the declared metric, in words, and the difference."""
    metric, margin = declared["metric"], float(declared.get("margin", 0))
    difference = _table(_table(other, "difference"), metric)
    higher = _higher_is_better(evidence, metric)
    outcome = compared(difference, margin, higher_is_better=higher)
    text = f"{metric} changes by {_interval(difference)}, {'higher' if higher else 'lower'} is better"
    return outcome, f"{text}, margin {margin:g}", dict(difference)


# Reading evidence, which a notebook wrote: whatever is not there or not of its type cannot be told


def _known(evidence: Mapping[str, Any], key: str) -> Any:
    if key not in evidence:
        raise CannotTell(f"the evidence has no '{key}'")
    return evidence[key]


def _table(evidence: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = _known(evidence, key)
    if not isinstance(found, Mapping):
        raise CannotTell(f"'{key}' in the evidence is {found!r}, expected a mapping")
    return found


def _number(evidence: Mapping[str, Any], key: str) -> float:
    found = _known(evidence, key)
    if isinstance(found, bool) or not isinstance(found, int | float) or not isfinite(found):
        raise CannotTell(f"'{key}' in the evidence is {found!r}, expected a number")
    return float(found)


def _higher_is_better(evidence: Evidence, metric: str) -> bool:
    direction = _known(_table(evidence, "directions"), metric)
    if direction not in ("higher", "lower"):
        raise CannotTell(f"the direction of '{metric}' is {direction!r}, expected 'higher' or 'lower'")
    return bool(direction == "higher")


def _interval(found: Mapping[str, Any]) -> str:
    value, low, high = (found.get(name) for name in ("value", "low", "high"))
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        return f"{value:.4f}" if isinstance(value, int | float) else str(value)
    return f"{value:.4f} ({low:.4f} to {high:.4f})"


def _bound_text(bound: Mapping[str, Any]) -> str:
    words = [f"{'≥' if key == 'min' else '≤'} {bound[key]:g}" for key in ("min", "max") if key in bound]
    return " and ".join(words) + (" with confidence" if bound.get("confident") else "")
