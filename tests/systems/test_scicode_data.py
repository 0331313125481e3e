# ruff: noqa: E501 - code in strings, tables of cases
"""Targets on disk, comparison, and the upstream harness's defects, each shown."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")
sparse = pytest.importorskip("scipy.sparse")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from hypothesis.extra import numpy as hnp  # noqa: E402

from presscheck.systems.scicode import TargetStore, compare, load_problems, upstream  # noqa: E402
from presscheck.systems.scicode.wire import Opaque, decode, encode  # noqa: E402


def same(one: Any, other: Any) -> bool:
    """Equal in value, type, dtype and shape, all the way down."""
    if type(one) is not type(other):
        return False
    if sparse.issparse(one):
        return (
            one.format == other.format and one.shape == other.shape and same(one.toarray(), other.toarray())
        )
    if isinstance(one, np.ndarray):
        nan = one.dtype.kind in "fc"
        return (
            one.dtype == other.dtype
            and one.shape == other.shape
            and np.array_equal(one, other, equal_nan=nan)
        )
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(a, b) and same(one[a], other[b])
            for a, b in zip(one, sorted(other, key=list(one).index), strict=True)
        )
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other) or (one != one and other != other)


DENSE = np.arange(12.0).reshape(3, 4) * (np.arange(12).reshape(3, 4) % 3 == 0)
VALUES = [
    True, 3, -(2**70), 2.5, float("inf"), 1 + 2j, "", "Grüße", "a\0b", b"", b"\0\xff\0", None,
    np.float32(1.5), np.int64(7), np.bool_(True), np.complex128(1j),
    np.array(3.0), np.zeros((0, 3)), np.arange(6).reshape(2, 3), np.array([1 + 1j]), np.array([True, False]),
    np.array(["ab", "ü"]), np.array([[1, 2]], dtype=np.int8),
    [], [1.0], [1, "two", None], (1.0,), (), (1.0, 2.0), ([1, 2], (3,), {"a": [4]}),
    [float(i) for i in range(13)], tuple(range(12)),
    {}, {"a": 1.0, "b": np.ones(2)}, {1: "x", 2.5: [1]}, {"a/b": 1, "list": 2, "sparse_matrix": 3, "1.5": 4},
    {"outer": {"inner": {"deep": 1j}}},
    *[getattr(sparse, f"{form}_matrix")(DENSE) for form in ("coo", "csr", "csc")],
    sparse.bsr_matrix(np.kron(np.eye(2), np.ones((2, 3))), blocksize=(2, 3)), sparse.csc_matrix((3, 3)),
    sparse.csr_array(DENSE), sparse.csc_array(DENSE[:, :3]), [sparse.csc_matrix(DENSE[:, :3]), 1.0],
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__} {str(value)[:20]!r}")
def test_a_target_comes_back_as_it_went(value: Any, tmp_path: Path) -> None:
    store = TargetStore(tmp_path / "t.h5")
    store.write("1.1", [value, 0.0])
    assert same(store.targets("1.1", 2)[0], value)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5)
    | st.complex_numbers(allow_nan=False)
    | hnp.arrays(hnp.scalar_dtypes().filter(lambda d: d.kind in "biufc" and d.itemsize <= 8), hnp.array_shapes(max_side=3)),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner)
    | st.dictionaries(st.text(st.characters(codec="ascii", exclude_characters="\0/%"), min_size=1, max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@given(plain)
@settings(max_examples=40, deadline=None)
def test_any_value_survives_the_wire_and_the_file(value: Any) -> None:
    assert same(decode(encode(value)), value)
    with h5py.File(io.BytesIO(), "w") as file:
        from presscheck.systems.scicode import targets

        targets._write(file, "x", value, "here")
        assert same(targets._read(file["x"]), value)


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array([None]), {(1, 2): 3}, sparse.dia_matrix(DENSE)])
def test_a_target_without_a_form_is_refused_by_place(value: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="step 7.2 test 1: .*no form"):
        TargetStore(tmp_path / "t.h5").write("7.2", [value])


def test_steps_are_listed_in_order(tmp_path: Path) -> None:
    store = TargetStore(tmp_path / "t.h5")
    for number in ("77.10", "77.2", "5.1", "77.1"):
        store.write(number, [1.0])
    assert store.steps() == ["5.1", "77.1", "77.2", "77.10"]
    with pytest.raises(ValueError, match="no targets for step 77.3"):
        store.targets("77.3", 1)
    with pytest.raises(ValueError, match="no target for test 2 of step 77.2"):
        store.targets("77.2", 2)


def test_a_file_without_tags_is_read_as_published(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        step = file.create_group("1.1")
        step["test1/var1"] = 2.5
        step["test2/var1"] = b"text"
        for i in range(12, 0, -1):
            step[f"test3/var{i}"] = float(i)
            step[f"test4/var1/list/var{i}"] = float(i)
        step["test5/var1/0.5"] = 1.0
        step["test5/var1/name"] = b"x"
        for name, value in {"data": [1.0, 2.0], "row": [0, 1], "col": [2, 0], "shape": [2, 3]}.items():
            step[f"test6/var1/sparse_matrix/{name}"] = value
        wide = sparse.csc_matrix(DENSE)
        for name in ("data", "indices", "indptr", "shape"):
            step[f"test7/var1/sparse_matrix/{name}"] = getattr(wide, name)
    one, two, three, four, five, six, seven = TargetStore(tmp_path / "t.h5").targets("1.1", 7)
    assert one == 2.5 and two == "text"
    assert three == tuple(map(float, range(1, 13))) and four == list(map(float, range(1, 13)))
    assert five == {0.5: 1.0, "name": "x"}
    assert np.array_equal(six.toarray(), [[0, 0, 1], [2, 0, 0]])
    assert np.array_equal(seven.toarray(), DENSE)  # told from CSR by its shape


# Comparison -------------------------------------------------------------------------------------

MASKED = np.ma.MaskedArray([1.0, 2.0], mask=[False, True])
CASES: list[tuple[Any, Any, str]] = [
    (1.0, 1.0, ""), (1, 1.0, ""), (np.float32(1), 1.0, ""), (1.0 + 1e-9, 1.0, ""), (1.1, 1.0, "answer"),
    (np.array(1.0), 1.0, ""), (np.array([1.0]), 1.0, "type"), (1.0, np.array([1.0]), "type"),
    (1.0, np.ones(3), "type"), (np.ones((1, 3)), np.ones(3), "type"), (np.ones((0, 3)), np.ones(3), "type"),
    ([1.0, 2.0], np.array([1.0, 2.0]), ""), ((1.0, 2.0), [1.0, 2.0], ""), (np.array([1.0, 2.0]), (1.0, 2.0), ""),
    ([1.0], (1.0, 2.0), "type"), ([[1.0], [1.0, 2.0]], np.ones((2, 2)), "type"),
    (1 + 0j, 1.0, ""), (1.0, 1 + 0j, ""), (1 + 1e-3j, 1.0, "answer"),
    (True, True, ""), (1, True, "type"), (True, 1, "type"), (False, True, "answer"),
    (np.array([True]), np.array([True]), ""), (np.array([1]), np.array([True]), "type"),
    ("a", "a", ""), ("a", "b", "answer"), (b"a", "a", ""), (1, "1", "type"), ("1", 1, "type"), (None, None, ""),
    (0, None, "type"), (float("nan"), float("nan"), "answer"), (float("inf"), float("inf"), ""),
    (float("inf"), 1e308, "answer"), ({"a": 1}, {"a": 1.0}, ""), ({"a": 1}, {"b": 1}, "answer"),
    ({"a": [1, 2]}, {"a": (1, 3)}, "answer"), ({1: 2}, {1.0: 2}, ""), ([1], {"a": 1}, "type"),
    (MASKED, np.array([1.0, 2.0]), "type"), (np.ma.MaskedArray([1.0, 2.0]), np.array([1.0, 2.0]), ""),
    (MASKED, MASKED, ""), (Opaque("generator"), 1.0, "type"), (Opaque("Liar"), [1.0], "type"),
    (sparse.csr_matrix(DENSE), sparse.csc_matrix(DENSE), ""), (sparse.csr_matrix(DENSE.T), sparse.csc_matrix(DENSE), "type"),
    (DENSE, sparse.csr_matrix(DENSE), "type"), (sparse.csr_matrix(DENSE), DENSE, "type"),
    (np.array(["a", "b"]), np.array(["a", "b"]), ""), (["a", "c"], np.array(["a", "b"]), "answer"),
    ({1, 2}, {2, 1}, ""), (range(2), np.array([0, 1]), "type"),
]  # fmt: skip


@pytest.mark.parametrize(("actual", "target", "differs"), CASES, ids=lambda value: str(value)[:25])
def test_compare(actual: Any, target: Any, differs: str) -> None:
    found = compare(actual, target)
    assert found.ok is not bool(differs)
    assert differs in found.kind


def test_broadcasting_and_nan_only_when_asked() -> None:
    assert compare(1.0, np.ones(3), strict_shape=False) and compare(
        np.ones((0, 1)), np.ones(3), strict_shape=False
    )
    assert compare([np.nan, 1.0], np.array([np.nan, 1.0]), equal_nan=True)
    assert compare(1.05, 1.0, rtol=0.1) and not compare(1.05, 1.0, atol=0.01)


@given(hnp.arrays(np.float64, hnp.array_shapes(), elements=st.floats(-1e3, 1e3)), st.floats(1e-12, 1e-2))
@settings(max_examples=60, deadline=None)
def test_equal_shapes_are_compared_as_allclose_does(target: Any, shift: float) -> None:
    actual = target + shift
    assert compare(actual, target).ok is bool(np.allclose(actual, target))


# The upstream harness's defects, and that they are not ours -------------------------------------


def test_a_given_step_makes_a_problem_unsolvable_upstream() -> None:
    """(a) Five steps pass, the sixth is given and not run, and five is not six."""
    passed = {i: True for i in range(6) if i != 5}
    assert not upstream.solved_by_inspect_scorer("13", passed, 6)
    assert upstream.solved_by_inspect_scorer("14", dict.fromkeys(range(6), True), 6)
    # Ours: test_a_given_class_stays_whole_and_the_problem_can_be_solved


def test_steps_that_were_never_generated_count_as_passed_upstream() -> None:
    """(b) Only the files that exist are counted."""
    assert upstream.solved_by_script({0: True})
    # Ours: test_a_step_that_was_never_generated_is_no_pass


def test_csc_comes_back_transposed_upstream_and_not_here(tmp_path: Path) -> None:
    """(c)"""
    square = sparse.csc_matrix(np.array([[1.0, 2.0], [0.0, 3.0]]))
    with h5py.File(tmp_path / "theirs.h5", "w") as file:
        upstream.write_sparse(square, file)
        theirs = upstream.read_sparse(file["sparse_matrix"])
    assert np.array_equal(theirs.toarray(), square.toarray().T)
    store = TargetStore(tmp_path / "ours.h5")
    store.write("1.1", [square])
    assert np.array_equal(store.targets("1.1", 1)[0].toarray(), square.toarray())


def test_long_lists_come_back_in_alphabetical_order_upstream_and_not_here(tmp_path: Path) -> None:
    """(d) 1, 10, 11, 2, ..."""
    value = [np.full(i, float(i)) for i in range(1, 12)]
    store = TargetStore(tmp_path / "t.h5")
    store.write("1.1", [value])
    theirs = upstream.read_targets(str(store.path), "1.1", 1)[0]
    assert [len(one) for one in theirs] == [1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]
    assert [len(one) for one in store.targets("1.1", 1)[0]] == list(range(1, 12))


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 still has the name")
def test_writing_a_dict_needs_numpy_1_upstream_and_not_here(tmp_path: Path) -> None:
    """(e)"""
    with h5py.File(tmp_path / "theirs.h5", "w") as file, pytest.raises(AttributeError, match="float_"):
        upstream.write_dict({"a": 1.0}, file)
    store = TargetStore(tmp_path / "ours.h5")
    store.write("1.1", [{"a": 1.0}])
    assert store.targets("1.1", 1) == [{"a": 1.0}]


@pytest.mark.parametrize("actual", [1.0, np.ones((1, 3)), np.empty((0, 3))])
def test_a_wrong_shape_passes_upstream_and_not_here(actual: Any) -> None:
    """(f)"""
    assert upstream.cmp_tuple_or_list([actual], [np.ones(3)])
    assert not compare([actual], [np.ones(3)])
    # (g) and (h), exit status and readable answers: test_upstream_semantics_accept_what_we_reject


def test_the_name_upstream_looks_for_is_not_always_the_one() -> None:
    header = "class Maxwell:\n    def __init__(self, n):\n        self.n = n"
    assert upstream.function_name(header) == "__init__"
    assert upstream.kept_code(f"{header}\nSCALE = 2", "__init__").startswith("def __init__")  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="neither"):
        upstream.function_name("class Empty:\n    value = 1")
    row = {
        "step_number": "62.1",
        "step_description_prompt": "",
        "function_header": header,
        "test_cases": ["assert 1"],
    }
    assert load_problems([{"problem_id": "62", "sub_steps": [row]}])[0].steps[0].name == "Maxwell"


# The wire ---------------------------------------------------------------------------------------


def test_what_a_class_says_of_itself_does_not_cross_the_wire() -> None:
    class Liar(np.ndarray):
        def __eq__(self, other: object) -> bool:  # type: ignore[override]
            return True

    class Text(str):
        def __str__(self) -> str:
            return "another"

    crossed = decode(encode(np.ones(3).view(Liar)))
    assert type(crossed) is np.ndarray and not (crossed == np.zeros(3)).any()
    assert decode(encode(Text("one"))) == "one"
    assert isinstance(decode(encode(x for x in [1])), Opaque)
    assert isinstance(decode(encode(lambda: 1)), Opaque)


@pytest.mark.parametrize(
    "frame",
    [{"t": "pickle"}, {}, [1], {"t": "array", "dtype": "O", "shape": [1], "data": ""},
     {"t": "array", "dtype": "<f8", "shape": [5], "data": ""}, {"t": "dict", "v": [[{"t": "list", "v": []}, 1]]}],
)  # fmt: skip
def test_a_malformed_frame_is_an_error(frame: Any) -> None:
    with pytest.raises(ValueError):
        decode(frame)
