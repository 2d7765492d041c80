"""What the workbench adds to a dossier: the verdict of the gates, what was made differently, and where it comes from.

The rest of the page is the review notebook's; see `pages` for how it looks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.gates import Verdict
from workbench.pages import SLOT, Html, banner, facts, folded, marked, section, table

KINDS = {True: "good", False: "bad"}


def completed(
    page: str,
    model: str,
    version: int,
    verdict: Verdict,
    evidence: Mapping[str, Any],
    changes: Mapping[str, Sequence[str]],
) -> str:
    """The notebook's page with the verdict, its thresholds and what changed on top, and the origin at its end.

    The top goes where the page has left room for it, else right at the start of its body.
    """
    serves = evidence.get("serves")
    against = f"version {serves['version']}, which serves" if serves else "no champion: it would be the first"
    title = f"{'May be promoted' if verdict.passed else 'Must not be promoted'}: {model} version {version}"
    parts = [
        banner(title, KINDS[verdict.passed], verdict.summary, f"Judged against {against}."),
        _thresholds(verdict),
    ]
    if serves:
        parts.append(_changes(serves["version"], changes))
    top = "\n".join(part.markup for part in parts)
    if SLOT.markup in page:
        page = page.replace(SLOT.markup, top, 1)
    else:
        page = re.sub(r"(<body[^>]*>)", lambda found: found[1] + top, page, count=1)
    origin = _origin(evidence.get("provenance", {}), evidence.get("serving", {})).markup
    before, end, after = page.rpartition("</body>")
    return f"{before}{origin}{end}{after}" if end else page + origin


def _thresholds(verdict: Verdict) -> Html:
    """Those that failed in full, and the others for who wants to see them."""

    def listed(wanted: bool) -> Html:
        rows = [[each.gate, each.name, each.reason] for each in verdict.thresholds if each.passed is wanted]
        return table(["gate", "threshold", "what was found"], rows)

    passed = len(verdict.thresholds) - len(verdict.failures)
    parts: list[Html | str] = [folded(f"{passed} passed", listed(True))] if passed else []
    if verdict.failures:
        parts = [marked(f"{len(verdict.failures)} failed", "bad"), listed(False), *parts]
    return section("Thresholds", *parts)


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
