"""`/predict/MODEL`: rows as objects, typed from the contract.

{"rows": [{"temp": 39.0, "carrier": "AA", …}]}
{"predictions": [{"id": "…-0", "probability": 0.21}], "model": …, "version": …, …}
"""

from __future__ import annotations

import orjson

from workbench.serving.answers import Answer
from workbench.serving.http.bodies import as_object, origin, parsed, prediction_ids
from workbench.serving.http.rows import Rows, records


def read(body: bytes, max_rows: int) -> Rows:
    """The rows of a request. Raises Refused."""
    return records(as_object(parsed(body), ("rows",), ("rows",))["rows"], "/rows", max_rows)


def written(answer: Answer) -> bytes:
    """The body of an answer."""
    pairs = zip(prediction_ids(answer), answer.probabilities.tolist(), strict=True)
    predictions = [{"id": each, "probability": probability} for each, probability in pairs]
    return orjson.dumps({"predictions": predictions, **origin(answer)})
