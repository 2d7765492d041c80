"""What the last replay of a pipeline left."""

from __future__ import annotations

import os

from workbench.replay.results import keep, kept
from workbench.settings import Project

CONTENT = {"policies": [], "aging": [], "months": ["4"]}


def test_the_last_replay_of_each_pipeline_the_newest_first(project: Project) -> None:
    assert kept(project) == []
    for name in ("train", "other"):
        keep(project, name, CONTENT)
    keep(project, "train", {**CONTENT, "months": ["4", "5"]})
    folder = project.state / "replay"
    os.utime(folder / "other.json", (10, 10))
    (folder / "damaged.json").write_text("{")
    (folder / "strange.json").write_text("{}")
    found = kept(project)
    assert [each.pipeline for each in found] == ["train", "other"]
    assert found[0].content["months"] == ["4", "5"]
    assert found[1].ended == 10
