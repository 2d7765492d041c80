"""What the server does now: rates and latencies between two looks at its counts, the last hour by the minute, its workers."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from access import part
from charts import BAD, GOOD, PALETTE, WARNING, bars, chart, line, show
from drawing import moment

from workbench.errors import WorkbenchError
from workbench.prediction_log.tallies import MINUTE, minutes
from workbench.serving.calling import KEY_VARIABLE, Called, server_of
from workbench.serving.rates import Rates, Sample, between, sample
from workbench.settings import Project, find_project

EVERY = 2.0
"""Seconds between two looks."""
LOOKS = 300
"""That are kept: ten minutes."""
SPAN = 5
"""Looks over which a rate is taken, so that it does not jump."""
FORGOTTEN = 60.0
"""Seconds after which a worker that has not answered any more is not listed."""


class Looks:
    """What was seen of one server, by everybody who has the page open: they share it, so the server is asked once."""

    def __init__(self, called: Called) -> None:
        self._called, self._lock = called, threading.Lock()
        self._samples: deque[Sample] = deque(maxlen=LOOKS)
        self._workers: dict[int, tuple[float, Mapping[str, Any]]] = {}

    def look(self) -> Sequence[Sample]:
        """All looks so far, with a new one when the last is old. Raises WorkbenchError when the server does not answer."""
        with self._lock:
            if not self._samples or time.time() - self._samples[-1].at > EVERY / 2:
                self._look()
            return tuple(self._samples)

    def workers(self) -> list[tuple[int, Mapping[str, Any]]]:
        """By process, what `/version` said there last: one of them answers each time."""
        with self._lock:
            since = time.time() - FORGOTTEN
            self._workers = {worker: seen for worker, seen in self._workers.items() if seen[0] > since}
            return [(worker, seen[1]) for worker, seen in sorted(self._workers.items())]

    def _look(self) -> None:
        counts, version = self._called.get("/metrics"), self._called.get("/version")
        for reply in (counts, version):
            if reply.status in (401, 403):
                raise WorkbenchError(
                    f"the server wants a key: {reply.message}. Make one (workbench keys add app --role operator) and start "
                    f"the app with it in {KEY_VARIABLE}"
                )
            if reply.status != 200:
                raise WorkbenchError(f"the server at {self._called.url} answers with {reply.message}")
        try:
            seen = sample(counts.body.decode(), time.time())
        except (ValueError, KeyError) as error:
            raise WorkbenchError(
                f"what answers at {self._called.url} is no server of ours: {error}"
            ) from error
        if self._samples and between(self._samples[-1], seen, next(iter(seen.models), "")) is None:
            self._samples.clear()  # another server counts anew
            self._workers.clear()
        self._samples.append(seen)
        told = version.json()
        self._workers[int(told.get("worker", 0))] = seen.at, told.get("models", {})


@st.cache_resource(max_entries=4, show_spinner=False)
def looks_at(url: str, key: str) -> Looks:
    return Looks(Called(url, key))


def looks_of(project: Project) -> Looks:
    called = server_of(project.serve)
    return looks_at(called.url, called.key)


@partial(part, every=EVERY)
def show_live(project: Project, model: str) -> None:
    """Figures, charts and workers of one model, drawn again every other second."""
    looks = looks_of(project)
    try:
        samples = looks.look()
    except WorkbenchError as error:
        st.warning(str(error), icon="📴")
        samples = ()
    now = samples[-1].models.get(model) if samples else None
    if samples and now is None:
        st.info(f"The server runs and does not serve '{model}'.", icon="📴")
    if now is not None:
        _show_figures(samples, model)
    left, right = st.columns(2)
    with left:
        show(last_hour(_minutes(project.root, model)), key="hour")
    with right:
        if len(samples) > 1:
            show(latencies(samples, model), key="latency")
        else:
            st.caption("Latencies are drawn from the second answer of the server on.")
    if now is not None:
        _show_workers(looks, model, now.versions)


def _show_figures(samples: Sequence[Sample], model: str) -> None:
    rates = between(samples[max(0, len(samples) - 1 - SPAN)], samples[-1], model)
    now = samples[-1].models[model]
    serving = " and ".join(f"version {version}" for version in sorted(now.versions)) or "no version"
    places = st.columns(5)
    places[0].metric("Serving", serving, help="By how many workers: see below")
    places[1].metric(
        "Requests", f"{rates.requests:.1f} /s" if rates else "–", help="Over the last ten seconds"
    )
    places[2].metric("Latency, 50 of 100", _ms(rates and rates.median))
    places[3].metric("Latency, 95 of 100", _ms(rates and rates.p95))
    places[4].metric("Errors", _percent(rates and rates.errors), help="Ended with a status of 500 or more")
    st.caption(
        f"{now.requests:,.0f} requests since the server started · {now.swaps:,.0f} changes of version · "
        f"{samples[-1].in_hand} in hand · refused lately {_percent(rates and rates.refused)}"
    )


def last_hour(counted: Mapping[int, Mapping[int, int]]) -> go.Figure:
    """Requests by the minute and by how they ended."""
    figure = chart("last hour, by the minute (UTC)", "requests a minute", height=300)
    now = int(time.time() // MINUTE) * MINUTE
    span = range(now - 59 * MINUTE, now + 1, MINUTE)
    at = [datetime.fromtimestamp(each, UTC).replace(tzinfo=None) for each in span]
    kinds = (("answered", GOOD, 200, 400), ("refused", WARNING, 400, 500), ("errors", BAD, 500, 600))
    for name, colour, low, high in kinds:
        own = [_ended(counted.get(each, {}), low, high) for each in span]
        bars(figure, at, own, name, colour=colour)
    figure.update_traces(marker={"cornerradius": 0})
    figure.update_layout(barmode="stack", bargap=0.1)
    figure.update_xaxes(range=[at[0], at[-1]], tickformat="%H:%M")
    figure.update_yaxes(rangemode="tozero")
    return figure


def latencies(samples: Sequence[Sample], model: str) -> go.Figure:
    """Quantiles since the page was opened, at most ten minutes."""
    figure = chart("since the page was opened (UTC)", "latency (ms)", height=300)
    pairs = list(zip(samples, samples[SPAN:], strict=False)) or list(pairwise(samples))
    found = [(each[1].at, between(*each, model)) for each in pairs]
    at = [datetime.fromtimestamp(moment, UTC).replace(tzinfo=None) for moment, _ in found]
    for place, (name, of) in enumerate((("50 of 100", "median"), ("95", "p95"), ("99", "p99"))):
        line(figure, at, [_milliseconds(rates, of) for _, rates in found], name, colour=PALETTE[place])
    figure.update_traces(mode="lines")
    figure.update_yaxes(rangemode="tozero")
    figure.update_xaxes(tickformat="%H:%M:%S")
    return figure


def _show_workers(looks: Looks, model: str, versions: Mapping[str, int]) -> None:
    told = [(worker, models[model]) for worker, models in looks.workers() if model in models]
    st.markdown(
        "**Workers**: " + ", ".join(f"{count} serve version {version}" for version, count in versions.items())
    )
    table = {
        "worker": [str(worker) for worker, _ in told],
        "version": [each["version"] for _, each in told],
        "since": [moment(each["since"]) for _, each in told],
        "digest": [str(each["digest"] or "")[:12] for _, each in told],
        "canary": [f"version {each['canary']}, {each['share']:.0%}" if each["canary"] else "" for _, each in told],
        "shadow": [f"version {each['shadow']}" if each["shadow"] else "" for _, each in told],
        "alert": [("🟠 " + str(each["alert"])) if each["alert"] else "" for _, each in told],
    }  # fmt: skip
    st.dataframe(table, hide_index=True, column_config={
        "since": st.column_config.DatetimeColumn(format="distance"),
        "worker": st.column_config.TextColumn(help="Its process; one of them is asked at a time"),
    })  # fmt: skip


@st.cache_data(ttl=5, max_entries=20, show_spinner=False)
def _minutes(root: Path, model: str) -> dict[int, dict[int, int]]:
    """The last hour of the log's tallies; nothing where they cannot be read."""
    found = minutes(find_project(root), model, time.time() - 3_600)
    return {minute: dict(counts) for minute, counts in found.items()}


def last_minutes(project: Project, model: str) -> Counter[int]:
    """Requests of the last hour by status."""
    return sum((Counter(counted) for counted in _minutes(project.root, model).values()), Counter())


def _ended(counted: Mapping[int, int], low: int, high: int) -> int:
    return sum(count for status, count in counted.items() if low <= status < high)


def _milliseconds(rates: Rates | None, of: str) -> float | None:
    value = getattr(rates, of) if rates else None
    return None if value is None else 1000 * value


def _ms(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1000 * seconds:.3g} ms"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.2%}"
