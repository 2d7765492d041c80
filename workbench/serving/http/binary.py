"""Tensors as bytes behind the JSON of a body: the binary data extension of the Open Inference Protocol."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from workbench.serving.http.rows import malformed

DTYPES = {
    "BOOL": "?", "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1", "UINT16": "<u2",
    "UINT32": "<u4", "UINT64": "<u8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
DATATYPES = (*DTYPES, "BYTES")


def tensor(raw: bytes, datatype: str, count: int, at: str) -> Any:
    """`count` values, as an array or, for BYTES, a list of texts. Raises Refused."""
    if datatype == "BYTES":
        return _texts(raw, count, at)
    dtype = np.dtype(DTYPES[datatype])
    if len(raw) != count * dtype.itemsize:
        raise malformed(
            at, f"has {len(raw)} bytes; expected {count * dtype.itemsize} for {count} of {datatype}"
        )
    if datatype == "BOOL":
        return np.frombuffer(raw, dtype="u1") != 0
    return np.frombuffer(raw, dtype=dtype)


def _texts(raw: bytes, count: int, at: str) -> list[str]:
    """Each text is its length (4 bytes, little-endian) and its UTF-8."""
    texts: list[str] = []
    position, size = 0, len(raw)
    while position + 4 <= size and len(texts) < count:
        (length,) = struct.unpack_from("<I", raw, position)
        position += 4
        if position + length > size:
            break
        try:
            texts.append(raw[position : position + length].decode())
        except UnicodeDecodeError:
            raise malformed(f"{at}/data/{len(texts)}", "is not UTF-8") from None
        position += length
    if len(texts) != count or position != size:
        raise malformed(at, f"does not hold {count} texts, each with its length before it")
    return texts


def texts_as_bytes(texts: Sequence[str]) -> bytes:
    """The same the other way round."""
    encoded = [text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(each)) + each for each in encoded)
