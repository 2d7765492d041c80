"""The top of a dossier: what the gates say of a version, what was made differently, and where it comes from.

The rest of the page is the review notebook's; see `pages` for how it looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workbench.gates import Verdict
from workbench.pages import SLOT, Html, banner, facts, marked, section, table

KINDS = {True: "good", False: "bad"}


def head(
    model: str,
    version: int,
    verdict: Verdict,
    evidence: Mapping[str, Any],
    changes: Mapping[str, Sequence[str]],
) -> Html:
    """The verdict first; then each threshold, failed ones on top; what changed since the champion; the lineage."""
    serves = evidence.get("serves")
    against = f"version {serves['version']}, which serves" if serves else "no champion: it would be the first"
    title = "May be promoted" if verdict.passed else "Must not be promoted"
    parts = [
        banner(f"{title}: {model} version {version}", KINDS[verdict.passed], verdict.summary, f"Judged against {against}."),
        _thresholds(verdict),
    ]  # fmt: skip
    if serves:
        parts.append(_changes(serves["version"], changes))
    parts.append(_origin(evidence.get("provenance", {}), evidence.get("serving", {})))
    return Html("\n".join(part.markup for part in parts))


def with_head(page: str, head: Html) -> str:
    """The page with `head` where it has left room for it, else right at the start of its body."""
    if SLOT.markup in page:
        return page.replace(SLOT.markup, head.markup, 1)
    before, tag, after = page.partition("<body")
    inside, end, rest = after.partition(">")
    return f"{before}{tag}{inside}{end}{head.markup}{rest}" if tag else head.markup + page


def _thresholds(verdict: Verdict) -> Html:
    ordered = sorted(verdict.thresholds, key=lambda threshold: threshold.passed)
    rows = [
        [marked("passed" if each.passed else "failed", KINDS[each.passed]), each.gate, each.name, each.reason]
        for each in ordered
    ]
    return section("Thresholds", table(["", "gate", "threshold", "what was found"], rows))


def _changes(champion: int, changes: Mapping[str, Sequence[str]]) -> Html:
    rows = [[step, "; ".join(differences)] for step, differences in changes.items()]
    body: Html | str = (
        table(["step", "what is different"], rows) if rows else "Nothing: both were made of the same."
    )
    return section(f"Made differently from version {champion}", body)


def _origin(provenance: Mapping[str, Any], serving: Mapping[str, Any]) -> Html:
    commit = provenance.get("commit")
    dirty = " with uncommitted changes" if provenance.get("dirty") else ""
    known = {
        "git commit": f"{str(commit)[:12]}{dirty}" if commit else marked("unknown", "bad"),
        "contract": str(provenance.get("contract") or "none")[:16],
        "environment": str(provenance.get("lock") or "none")[:16],
        "one row takes": f"{serving['latency_ms']:.1f} ms" if "latency_ms" in serving else None,
        "size": f"{serving['size'] / 1e6:.2f} MB" if "size" in serving else None,
    }
    inputs = [[name, str(digest)[:16]] for name, digest in provenance.get("inputs", {}).items()]
    return section(
        "Where it comes from",
        facts({name: value for name, value in known.items() if value}),
        table(["data", "digest"], inputs) if inputs else "No data is on record.",
    )
