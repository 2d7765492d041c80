"""Models: the versions in the registry, what they scored, and where they come from."""

from __future__ import annotations

import streamlit as st
from drawing import moment
from sources import current_project, model_versions

from workbench.errors import TrackingError
from workbench.registry import Version

METRIC = "metric."


def metrics_of(version: Version) -> dict[str, float]:
    """The numbers that its evaluation left as tags."""
    return {
        name.removeprefix(METRIC): float(value)
        for name, value in version.tags.items()
        if name.startswith(METRIC)
    }


def show_versions(versions: list[Version]) -> None:
    names = list(dict.fromkeys(name for version in versions for name in metrics_of(version)))
    table = {
        "version": [version.version for version in versions],
        "aliases": [", ".join(version.aliases) for version in versions],
        "made": [moment(version.created) for version in versions],
        "run": [version.run or "" for version in versions],
        **{name: [metrics_of(version).get(name) for version in versions] for name in names},
    }
    columns = {
        "made": st.column_config.DatetimeColumn(format="distance"),
        **{name: st.column_config.NumberColumn(format="%.4g") for name in names},
    }
    st.dataframe(table, hide_index=True, column_config=columns)


def show_lineage(version: Version) -> None:
    st.subheader(f"{version.model}, version {version.version}", anchor=False)
    lineage = {
        "run": version.run,
        "step": version.step,
        "content": version.digest and version.digest[:16],
        "MLflow run": version.mlflow_run,
        **{
            name.removeprefix("workbench."): value
            for name, value in version.tags.items()
            if not name.startswith(METRIC) and name not in {"workbench.run", "workbench.step", "workbench.digest"}
        },
    }  # fmt: skip
    st.table({"": {name: f"`{value}`" for name, value in lineage.items() if value}}, border="horizontal")
    st.code(f'mlflow.pyfunc.load_model("models:/{version.model}/{version.version}")', language="python")


project = current_project()
st.title("Models", anchor=False)
try:
    found = model_versions(project.root)
except TrackingError as error:
    st.error(str(error), icon="🔴")
    st.stop()
if not found:
    st.info(
        "No model is registered yet. A pipeline with a `model:` section registers what it delivers: "
        "`make demo`, or `workbench run train`",
        icon="🌱",
    )
    st.stop()
for name in sorted({version.model for version in found}):
    mine = [version for version in found if version.model == name]
    st.subheader(name, anchor=False)
    show_versions(mine)
chosen = st.selectbox(
    "Where it comes from", found, format_func=lambda each: f"{each.model}, version {each.version}"
)
show_lineage(chosen)
