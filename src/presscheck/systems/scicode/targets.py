"""Targets of the tests, in the published HDF5 layout: ``<step>/test<k>/var<i>``.

One variable is a dataset or a group ``var1``; several are a tuple. A list lies in a
sub-group ``list``, a dict has a member for each key, a sparse matrix lies in
``sparse_matrix``. That layout alone forgets things: text or bytes, list or tuple or
array, CSC or CSR, the type of a key. So what is written here carries tags in HDF5
attributes, which other readers pass over; files without tags are read as they are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import h5py
import numpy as np
from scipy import sparse

KIND, KEY = "presscheck_kind", "presscheck_key"
FORMATS = ("coo", "csr", "csc", "bsr")


class Targets(Protocol):
    """Anything that knows what the tests of a step should give."""

    def targets(self, number: str, tests: int) -> list[Any]:
        """The targets of a step's tests, in order; ValueError if one is missing."""


class MemoryTargets:
    """Targets in a dict: step number → list of values."""

    def __init__(self, values: dict[str, list[Any]]) -> None:
        self.values = values

    def targets(self, number: str, tests: int) -> list[Any]:
        """As ``Targets``."""
        found = self.values.get(number)
        if found is None or len(found) < tests:
            have = 0 if found is None else len(found)
            raise ValueError(f"step {number} has {tests} tests and {have} targets")
        return list(found[:tests])


class TargetStore:
    """A file of targets.

    Args:
        path: Of the HDF5 file. It is opened anew for each call, so that nothing keeps it open.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def targets(self, number: str, tests: int) -> list[Any]:
        """The targets of a step's tests, in order.

        Raises:
            ValueError: if the file, the step or one of its tests is missing.
        """
        if not self.path.is_file():
            raise ValueError(f"there is no file of targets at {self.path}: step {number} cannot be graded")
        with h5py.File(self.path, "r") as file:
            if number not in file:
                raise ValueError(f"{self.path.name} has no targets for step {number}")
            found = []
            for test in range(1, tests + 1):
                group = file[number].get(f"test{test}")
                if not isinstance(group, h5py.Group) or not len(group):
                    raise ValueError(f"{self.path.name} has no target for test {test} of step {number}")
                found.append(_read_test(group))
            return found

    def write(self, number: str, values: Sequence[Any]) -> None:
        """Write the targets of a step's tests, over those it had.

        Raises:
            ValueError: if a value is of a kind that HDF5 has no form for here.
        """
        with h5py.File(self.path, "a", libver="latest") as file:
            if number in file:
                del file[number]
            step = file.create_group(number)
            for test, value in enumerate(values, 1):
                group = step.create_group(f"test{test}")
                if isinstance(value, tuple) and len(value) > 1:
                    for index, one in enumerate(value, 1):
                        _write(group, f"var{index}", one, f"step {number} test {test}")
                else:
                    _write(group, "var1", value, f"step {number} test {test}")

    def steps(self) -> list[str]:
        """The step numbers that the file has, in order of problem and step."""
        with h5py.File(self.path, "r") as file:
            return sorted(file, key=_numbers)


def _numbers(name: str) -> list[tuple[int, str]]:
    """Sorts var10 after var2, and 77.10 after 77.2."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _read_test(group: h5py.Group) -> Any:
    names = sorted(group, key=_numbers)
    if len(names) == 1:
        return _read(group[names[0]])
    return tuple(_read(group[name]) for name in names)


def _read(node: Any) -> Any:
    kind = node.attrs.get(KIND)
    if isinstance(node, h5py.Dataset):
        return _read_dataset(node, kind)
    if "list" in node and isinstance(node["list"], h5py.Group):
        inner = node["list"]
        items = [_read(inner[name]) for name in sorted(inner, key=_numbers)]
        return tuple(items) if kind == "tuple" else items
    if "sparse_matrix" in node:
        return _read_sparse(node["sparse_matrix"])
    return {_read_key(name, child): _read(child) for name, child in node.items()}


def _read_key(name: str, node: Any) -> Any:
    """A key of a dict; without a tag, a number if it reads like one, as upstream has it."""
    tag = node.attrs.get(KEY)
    if tag is not None:
        kind, value = json.loads(tag)
        return {"int": int, "float": float, "bool": bool, "str": str}[kind](value)
    try:
        return float(name)
    except ValueError:
        return name


def _read_dataset(node: h5py.Dataset, kind: str | None) -> Any:
    if kind == "none":
        return None
    value = node[()]
    if kind is None:
        if isinstance(value, bytes):
            return value.decode("utf-8")
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            return np.array(
                [one.decode() if isinstance(one, bytes) else one for one in value.ravel()]
            ).reshape(value.shape)
        return value
    if kind in ("str", "bytes"):
        raw = b"" if isinstance(value, h5py.Empty) else value.tobytes()
        return raw.decode("utf-8") if kind == "str" else raw
    if kind.startswith("text:"):
        texts = [one.decode("utf-8") for one in np.ravel(value)]
        return np.array(texts, dtype=kind.removeprefix("text:")).reshape(node.shape)
    if kind == "array":
        return np.asarray(value)
    plain = {"bool": bool, "float": float, "complex": complex}
    if kind == "int":
        return int(node.attrs["presscheck_int"])
    return plain[kind](value) if kind in plain else value


def _read_sparse(group: h5py.Group) -> Any:
    shape = tuple(int(n) for n in group["shape"][()])
    data = group["data"][()]
    form = group.attrs.get("format")
    array = bool(group.attrs.get("array", False))
    if "row" in group and "col" in group:
        found = sparse.coo_matrix((data, (group["row"][()], group["col"][()])), shape=shape)
        return sparse.coo_array(found) if array else found
    indices, indptr = group["indices"][()], group["indptr"][()]
    if "blocksize" in group:
        size = tuple(int(n) for n in group["blocksize"][()])
        if not data.size:
            data = data.reshape((0, *size))
        found = sparse.bsr_matrix((data, indices, indptr), shape=shape, blocksize=size)
        return sparse.bsr_array(found) if array else found
    if form is None:
        # Without a tag the number of pointers still tells them apart, unless the matrix is square.
        form = "csc" if len(indptr) == shape[1] + 1 != shape[0] + 1 else "csr"
    make = sparse.csc_matrix if form == "csc" else sparse.csr_matrix
    found = make((data, indices, indptr), shape=shape)
    if array:
        return sparse.csc_array(found) if form == "csc" else sparse.csr_array(found)
    return found


def _write(group: h5py.Group, name: str, value: Any, where: str) -> Any:
    """Write one value; returns its node, so that a dict can tag its key."""
    if sparse.issparse(value):
        return _write_sparse(group, name, value, where)
    if isinstance(value, dict):
        return _write_dict(group, name, value, where)
    if isinstance(value, (list, tuple)):
        node = group.create_group(name)
        node.attrs[KIND] = "tuple" if isinstance(value, tuple) else "list"
        inner = node.create_group("list")
        for index, one in enumerate(value, 1):
            _write(inner, f"var{index}", one, where)
        return node
    return _write_dataset(group, name, value, where)


def _write_dataset(group: h5py.Group, name: str, value: Any, where: str) -> h5py.Dataset:
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"{where}: a masked array has no form in the file; write data and mask as a tuple")
    if value is None:
        node = group.create_dataset(name, data=h5py.Empty("f8"))
        node.attrs[KIND] = "none"
    elif isinstance(value, (str, bytes)) and not isinstance(value, np.generic):
        raw = value.encode("utf-8") if isinstance(value, str) else value
        # Opaque bytes: HDF5's own strings end at the first zero byte.
        node = group.create_dataset(name, data=np.void(raw) if raw else h5py.Empty("S1"))
        if not raw:
            node.attrs["presscheck_empty"] = True
        node.attrs[KIND] = "str" if isinstance(value, str) else "bytes"
    elif isinstance(value, bool):
        node = group.create_dataset(name, data=value)
        node.attrs[KIND] = "bool"
    elif isinstance(value, int):
        small = -(2**63) <= value < 2**63
        node = group.create_dataset(name, data=value if small else float(value))
        node.attrs[KIND], node.attrs["presscheck_int"] = "int", str(value)
    elif isinstance(value, (np.ndarray, np.generic)):
        node = _write_array(group, name, value, where)
    elif isinstance(value, (float, complex)):
        node = group.create_dataset(name, data=value)
        node.attrs[KIND] = "float" if isinstance(value, float) else "complex"
    else:
        raise ValueError(f"{where}: a {type(value).__name__} has no form in a file of targets")
    return node


def _write_array(group: h5py.Group, name: str, value: Any, where: str) -> h5py.Dataset:
    dtype = value.dtype
    if dtype.kind == "U":
        data = np.array([one.encode("utf-8") for one in np.ravel(value)], dtype=object)
        node = group.create_dataset(name, data=data.reshape(np.shape(value)), dtype=h5py.string_dtype())
        node.attrs[KIND] = f"text:{dtype.str}"
        return node
    if dtype.kind not in "biufcS":
        raise ValueError(f"{where}: an array of dtype {dtype} has no form in a file of targets")
    node = group.create_dataset(name, data=value)
    node.attrs[KIND] = "array" if isinstance(value, np.ndarray) else "scalar"
    return node


def _write_dict(group: h5py.Group, name: str, value: dict[Any, Any], where: str) -> h5py.Group:
    node = group.create_group(name)
    node.attrs[KIND] = "dict"
    for key, one in value.items():
        plain = key.item() if isinstance(key, np.generic) else key
        if not isinstance(plain, (str, int, float)):
            raise ValueError(f"{where}: a key of type {type(key).__name__} has no form in a file of targets")
        text = str(plain)
        if text in ("list", "sparse_matrix") or not text or text in (".", ".."):
            text = f"key:{text}"  # the layout has given these names another meaning
        text = quote(text, safe=" :+,=()[]{}'\"!?*&$#@~^|<>;`\\") if "/" in text or "\0" in text else text
        if text in node:
            raise ValueError(f"{where}: two keys of a dict are both called {text!r}")
        child = _write(node, text, one, where)
        child.attrs[KEY] = json.dumps([type(plain).__name__, plain])
    return node


def _write_sparse(group: h5py.Group, name: str, value: Any, where: str) -> h5py.Group:
    if value.format not in FORMATS:
        raise ValueError(
            f"{where}: a sparse matrix in {value.format} has no form; convert it to one of {FORMATS}"
        )
    node = group.create_group(name)
    node.attrs[KIND] = "sparse"
    inner = node.create_group("sparse_matrix")
    inner.attrs["format"] = value.format
    inner.attrs["array"] = isinstance(value, sparse.sparray)
    inner.create_dataset("data", data=value.data)
    inner.create_dataset("shape", data=np.array(value.shape))
    if value.format == "coo":
        inner.create_dataset("row", data=value.row)
        inner.create_dataset("col", data=value.col)
        return node
    inner.create_dataset("indices", data=value.indices)
    inner.create_dataset("indptr", data=value.indptr)
    if value.format == "bsr":
        inner.create_dataset("blocksize", data=np.array(value.blocksize))
    return node
