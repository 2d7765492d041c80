"""A plan as a Mermaid flowchart, which GitHub, JupyterLab and many editors draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.plan import Plan

STYLES = {
    "run": "fill:#fde68a,stroke:#b45309,color:#000",
    "cached": "fill:#bfdbfe,stroke:#1d4ed8,color:#000",
    "wait": "fill:#e5e7eb,stroke:#4b5563,color:#000,stroke-dasharray:4 3",
}


def mermaid(plan: Plan) -> str:
    """One node a step, coloured by what would happen with it."""
    names = {key: f"s{number}" for number, key in enumerate(plan.decisions)}
    lines = ["flowchart LR"]
    for key, decision in plan.decisions.items():
        lines.append(
            f'  {names[key]}["{_text(key)}<br/><i>{_text(decision.reason)}</i>"]:::{decision.action}'
        )
    for key in plan.decisions:
        needs = plan.pipeline.steps[key].needs
        lines += [f"  {names[need]} --> {names[key]}" for need in needs if need in names]
    lines += [f"  classDef {action} {style}" for action, style in STYLES.items()]
    return "\n".join(lines)


def _text(text: str) -> str:
    """Mermaid's entities for what would end a quoted label or read as HTML."""
    for sign, entity in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;")):
        text = text.replace(sign, entity)
    return text
