"""A row on its own through a graph: by arrays that ONNX Runtime knows, with the answers of many rows."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from ekiben.converters import onnx_runner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as some
from onnx import TensorProto, helper, numpy_helper

WIDTH = 3
WEIGHTS = numpy.array([[1.0, -2.0], [0.5, 0.25], [3.0, 1e-3]], "float32")


def graph(
    folder: Path, axes: Any = ("n", WIDTH), told: Any = ("n", 2), kind: int = TensorProto.FLOAT
) -> Path:
    """``x @ WEIGHTS`` and its size, with the shapes that are told of them."""
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["y"]),
        helper.make_node("Abs", ["y"], ["size"]),
    ]
    weights = WEIGHTS.astype(helper.tensor_dtype_to_np_dtype(kind))
    made = helper.make_graph(
        nodes,
        "line",
        [helper.make_tensor_value_info("x", kind, axes)],
        [helper.make_tensor_value_info(name, kind, told) for name in ("y", "size")],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "graph.onnx").write_bytes(model.SerializeToString())
    (folder / "answers.json").write_text(json.dumps(["predictions", "size"]), encoding="utf-8")
    return folder


def is_bound(run: Any) -> bool:
    return run.__name__ == "bound"


def alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert list(one) == list(other)
    for name, values in one.items():
        assert values.dtype == other[name].dtype
        numpy.testing.assert_array_equal(values, other[name])


def test_any_row(tmp_path: Path) -> None:
    """No numbers and infinite ones too, as a tuple and as an array."""
    run = onnx_runner.load(graph(tmp_path), {"dtype": "float32"})
    assert is_bound(run)

    @settings(max_examples=200, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(some.tuples(*[some.floats(width=32)] * WIDTH))
    @example((numpy.nan, numpy.inf, -numpy.inf))
    @example((3.4028234663852886e38, -3.4028234663852886e38, 1e-45))
    def compared(row: tuple[float, ...]) -> None:
        many = {name: values[:1] for name, values in run([row, row]).items()}
        alike(run([row]), many)
        alike(run(numpy.array([row], "float32")), many)

    compared()


def test_an_answer_stays_when_the_next_is_made(tmp_path: Path) -> None:
    run = onnx_runner.load(graph(tmp_path), {"dtype": "float32"})
    first = run([(1.0, 2.0, 3.0)])
    kept = {name: values.copy() for name, values in first.items()}
    run([(-4.0, 5.0, 6.0)])
    alike(first, kept)


def test_from_several_threads(tmp_path: Path) -> None:
    """BentoML's own route asks from its threads: whoever finds the arrays taken goes the other way."""
    run = onnx_runner.load(graph(tmp_path), {"dtype": "float32"})
    rows = [(float(place), 1.0, -float(place)) for place in range(2000)]
    wanted = run(rows)["predictions"]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda row: run([row])["predictions"][0], rows))
    numpy.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("shown", "about"),
    [
        ("float64", {}),  # what was shown is rounded first
        ("float32", {"axes": ("n", "k")}),
        ("float32", {"told": ("n", 5)}),  # the graph is wrong about itself
    ],
)
def test_where_shapes_are_not_known(tmp_path: Path, shown: str, about: dict[str, Any]) -> None:
    run = onnx_runner.load(graph(tmp_path, **about), {"dtype": shown})
    assert not is_bound(run)
    row = (1.5, -2.0, 0.25)
    alike(run([row]), {name: values[:1] for name, values in run([row, row]).items()})


def test_64_bits(tmp_path: Path) -> None:
    run = onnx_runner.load(graph(tmp_path, kind=TensorProto.DOUBLE), {"dtype": "float64"})
    assert is_bound(run)
    row = (1e300, -2.0, 0.1)
    alike(run([row]), {name: values[:1] for name, values in run([row, row]).items()})


def test_a_graph_that_refuses(tmp_path: Path) -> None:
    """Alone as among others, and the next row is answered."""
    node = helper.make_node("Gather", ["table", "x"], ["y"], axis=0)
    table = numpy_helper.from_array(numpy.arange(4, dtype="float32"), "table")
    made = helper.make_graph(
        [node],
        "table",
        [helper.make_tensor_value_info("x", TensorProto.INT64, ("n", 1))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", 1))],
        [table],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (tmp_path / "graph.onnx").write_bytes(onnx.ModelProto.SerializeToString(model))
    (tmp_path / "answers.json").write_text('["predictions"]', encoding="utf-8")
    run = onnx_runner.load(tmp_path, {"dtype": "int64"})
    assert is_bound(run)
    for rows in ([(9,)], [(9,), (1,)]):
        with pytest.raises(Exception, match="out of data bounds"):
            run(rows)
    assert run([(3,)])["predictions"].tolist() == [[3.0]]
