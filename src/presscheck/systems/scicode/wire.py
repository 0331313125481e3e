"""Values and frames between the sandbox and its parent: JSON with arrays in base64, no pickle.

What the child sends is data and nothing else: whatever class a solution returns, with
whatever ``__eq__``, the parent sees numbers, text and containers of them. Anything that
is none of these arrives as ``Opaque``, which equals nothing.

This file is also read inside the sandbox, by path, so it imports only the standard
library and NumPy; SciPy only where a sparse matrix is met.
"""

from __future__ import annotations

import base64
import json
import struct
from typing import Any, BinaryIO

import numpy as np

MAX_FRAME = 64 << 20
"""Bytes that one frame may have."""

MAX_DEPTH = 64


class Opaque:
    """A value that no target can be: a generator, a function, an object of the solution's."""

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name

    def __repr__(self) -> str:
        return f"<a {self.type_name}>"


def _array(value: Any) -> dict[str, Any]:
    plain = np.ascontiguousarray(np.asarray(value)).reshape(np.shape(value))
    if plain.dtype.kind in "biufcSU":
        data = base64.b64encode(plain.tobytes()).decode()
        return {"t": "array", "dtype": plain.dtype.str, "shape": list(plain.shape), "data": data}
    raise TypeError(f"array of dtype {plain.dtype}")


def encode(value: Any, depth: int = 0) -> Any:
    """A value as JSON can hold it; what cannot be held becomes an ``Opaque`` on the other side."""
    kind = type(value)
    if depth > MAX_DEPTH:
        return {"t": "opaque", "name": "value nested too deep"}
    if value is None or kind is bool or kind is str:
        return value
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, np.generic):
        return {"t": "scalar", "of": _array(np.asarray(value))}
    if isinstance(value, int):
        return {"t": "int", "v": int.__repr__(value)}
    if isinstance(value, float):
        return {"t": "float", "v": float.__float__(value).hex()}
    if isinstance(value, complex):
        return {"t": "complex", "v": [complex(value).real.hex(), complex(value).imag.hex()]}
    if isinstance(value, (bytes, bytearray)):
        return {"t": "bytes", "v": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, np.ma.MaskedArray):
        mask = np.broadcast_to(np.ma.getmaskarray(value), value.shape)
        return {"t": "masked", "data": _array(np.ma.getdata(value)), "mask": _array(mask)}
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "O":
            items = [encode(one, depth + 1) for one in np.asarray(value).ravel().tolist()]
            return {"t": "objects", "shape": list(value.shape), "v": items}
        return _array(value)
    if isinstance(value, (list, tuple)):
        name = "tuple" if isinstance(value, tuple) else "list"
        return {"t": name, "v": [encode(one, depth + 1) for one in value]}
    if isinstance(value, dict):
        pairs = [[encode(k, depth + 1), encode(v, depth + 1)] for k, v in dict.items(value)]
        return {"t": "dict", "v": pairs}
    if isinstance(value, (set, frozenset)):
        return {"t": "set", "v": [encode(one, depth + 1) for one in value]}
    if _is_sparse(value):
        return _sparse(value)
    if kind.__module__.split(".")[0] == "sympy":
        return {"t": "symbolic", "v": str(value)}
    return {"t": "opaque", "name": kind.__name__}


def _is_sparse(value: Any) -> bool:
    return hasattr(value, "tocoo") and type(value).__module__.startswith("scipy.sparse")


def _sparse(value: Any) -> dict[str, Any]:
    coo = value.tocoo()
    parts = {"row": _array(coo.row), "col": _array(coo.col), "data": _array(coo.data)}
    return {"t": "sparse", "format": value.format, "shape": list(value.shape), **parts}


def decode(value: Any) -> Any:
    """The value that ``encode`` was given.

    Raises:
        ValueError: if it is none that ``encode`` writes.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    try:
        return _decode(value)
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError, MemoryError) as error:
        raise ValueError(f"malformed value in a frame: {type(error).__name__}: {error}") from error


def _decode(value: Any) -> Any:
    match value["t"]:
        case "scalar":
            return decode(value["of"])[()]
        case "int":
            return int(value["v"])
        case "float":
            return float.fromhex(value["v"])
        case "complex":
            return complex(float.fromhex(value["v"][0]), float.fromhex(value["v"][1]))
        case "bytes":
            return base64.b64decode(value["v"], validate=True)
        case "array":
            dtype = np.dtype(value["dtype"])
            if dtype.kind not in "biufcSU":
                raise ValueError(f"dtype {dtype} is not sent")
            flat = np.frombuffer(base64.b64decode(value["data"], validate=True), dtype=dtype)
            return flat.reshape([int(n) for n in value["shape"]]).copy()
        case "masked":
            return np.ma.MaskedArray(decode(value["data"]), mask=decode(value["mask"]))
        case "objects":
            items = np.empty(len(value["v"]), dtype=object)
            for index, one in enumerate(value["v"]):
                items[index] = decode(one)
            return items.reshape([int(n) for n in value["shape"]])
        case "list":
            return [decode(one) for one in value["v"]]
        case "tuple":
            return tuple(decode(one) for one in value["v"])
        case "set":
            return {decode(one) for one in value["v"]}
        case "dict":
            return {decode(key): decode(one) for key, one in value["v"]}
        case "sparse":
            from scipy import sparse

            row, col, data = (decode(value[name]) for name in ("row", "col", "data"))
            shape = tuple(int(n) for n in value["shape"])
            return sparse.coo_matrix((data, (row, col)), shape=shape).asformat(value["format"])
        case "symbolic":
            return str(value["v"])
        case "opaque":
            return Opaque(str(value["name"]))
    raise ValueError(f"unknown kind of value in a frame: {value['t']!r}")


def pack(message: dict[str, Any]) -> bytes:
    """A frame: its length in four bytes, then JSON."""
    body = json.dumps(message).encode()
    return struct.pack(">I", len(body)) + body


def receive(stream: BinaryIO) -> dict[str, Any]:
    """The next frame of a stream that nobody hostile writes to (the child reads its parent).

    Raises:
        EOFError: at the end of the stream.
    """
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError("the other side has closed")
    message: dict[str, Any] = json.loads(stream.read(struct.unpack(">I", head)[0]))
    return message
