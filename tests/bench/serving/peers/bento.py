"""The same model behind BentoML with its adaptive batching, as its guide has it. Runs in an environment of its own."""

from __future__ import annotations

import os

import bentoml  # type: ignore[import-not-found]
import pandas as pd
import skops.io

FILE = os.environ["MODEL_FILE"]


@bentoml.service(workers=1, traffic={"timeout": 30})  # type: ignore[untyped-decorator]
class Flights:
    def __init__(self) -> None:
        # Trusting what the file asks for is nothing to imitate: this file was written by the benchmark a moment ago.
        self.model = skops.io.load(FILE, trusted=skops.io.get_untrusted_types(file=FILE))

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1_000)  # type: ignore[untyped-decorator]
    def predict(self, rows: list[dict]) -> list[float]:  # type: ignore[type-arg]
        frame = pd.DataFrame(rows, columns=self.model.feature_names_in_)
        return [float(each) for each in self.model.predict_proba(frame)[:, 1]]
