"""Numbers of 32 bits count with what they were summed from; whatever is wrong is still wrong."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from ekiben import contract as contracts
from ekiben import convert
from ekiben.errors import NotConverted
from ekiben.records import Contract
from ekiben.runtime.replay import compare
from ekiben.runtime.tolerance import MOST_SIZES, floors, scale_of

RANDOM = numpy.random.default_rng(0)
INPUTS = RANDOM.normal(size=(200, 40)).astype("float32")
WEIGHTS = (RANDOM.normal(size=(40, 3)) * 20).astype("float32")


def linear(data: Any) -> Any:
    """Three sums of forty products, each rounded to 32 bits as it grows."""
    return numpy.add.accumulate(numpy.asarray(data, "float32")[:, :, None] * WEIGHTS, axis=1)[:, -1]


def backwards(data: Any) -> Any:
    """The same sums, in another order."""
    products = numpy.asarray(data, "float32")[:, :, None] * WEIGHTS
    return numpy.add.accumulate(products[:, ::-1], axis=1)[:, -1]


def made(call: Any = linear, task: str = "regression", name: str = "predictions") -> Contract:
    about = SimpleNamespace(task=task, classes=None, columns=None, width=40, takes="")
    return contracts.infer(INPUTS, lambda data: {"predictions": call(data), name: call(data)}, about)


def agree(contract: Contract, told: Any, wanted: Any = None, output: str = "predictions") -> bool:
    wanted = contract.golden.answers[output] if wanted is None else wanted
    golden = {"rows": [[]] * len(wanted), "answers": {output: wanted}}
    replayed = not compare(golden, {output: told}, contract.tolerance.to_json())[1]
    # The judge of compiled forms says the same.
    proof = convert.Proof(contract, lambda data: {}, INPUTS, math.inf)
    try:
        proof._difference([()] * len(wanted), {output: numpy.array(wanted)}, {output: numpy.array(told)})
    except NotConverted:
        assert not replayed
        return False
    assert replayed
    return True


def cancelled() -> tuple[Any, Any]:
    """A row whose first sum all but vanishes, summed both ways: exact zero is 1e-5 away."""
    row = INPUTS[:1].copy()
    first = WEIGHTS[:, 0]
    row[0, 0] -= (row[0].astype(float) @ first.astype(float)) / first[0]
    return linear(row), backwards(row)


def test_a_small_answer_beside_large_ones_may_differ_by_their_rounding():
    contract = made()
    one, other = cancelled()
    assert 0 < abs(one[0, 0] - other[0, 0]) > 1e-5 * abs(one[0, 0]) + 1e-7  # alone it would be refused
    assert abs(one[0, 1]) > 1
    assert agree(contract, other.tolist(), one.tolist())
    assert agree(contract, backwards(contract.golden.rows).tolist())


@pytest.mark.parametrize("by", [1e-3, 0.1, 10.0, math.inf, math.nan])
def test_a_wrong_answer_of_the_same_size_fails(by):
    contract = made()
    wrong = [list(row) for row in contract.golden.answers["predictions"]]
    typical = contract.tolerance.scales["predictions"].sizes[0]
    wrong[1][0] += by * typical
    assert not agree(contract, wrong)
    assert not agree(contract, [[-value for value in row] for row in contract.golden.answers["predictions"]])


def test_64_bits_stay_strict():
    contract = made(lambda data: linear(data).astype("float64"))
    one, other = (entry.astype("float64") for entry in cancelled())
    assert not contract.tolerance.scales
    assert not agree(contract, other.tolist(), one.tolist())


def test_a_position_of_small_numbers_is_not_lost_beside_one_of_large_ones():
    """Prices and rates in one answer: a rate that is off by half is wrong."""
    contract = made(lambda data: (linear(data)[:, :2] * [1e6, 1e-3]).astype("float32"))
    told = [[price, 1.5 * rate] for price, rate in contract.golden.answers["predictions"]]
    assert not agree(contract, told)
    assert agree(contract, contract.golden.answers["predictions"])


def test_answers_over_many_magnitudes_keep_their_small_ones():
    contract = made(lambda data: numpy.exp(linear(data)[:, 0] / 50))
    answers = contract.golden.answers["predictions"]
    place = answers.index(min(answers))
    assert max(answers) > 1000 * answers[place]
    told = list(answers)
    told[place] *= 1.01
    assert not agree(contract, told)


def softmax(data: Any) -> Any:
    powers = numpy.exp(linear(data) / 100)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("call", "task", "name"),
    [
        (softmax, "regression", "predictions"),  # a network that does not say what it is
        (linear, "regression", "probabilities"),
        (lambda data: numpy.sign(linear(data)[:, 0]), "outlier detection", "predictions"),
    ],
)
def test_probabilities_and_labels_have_no_scale(call, task, name):
    contract = made(call, task, name)
    assert name not in contract.tolerance.scales
    answers = contract.golden.answers[name]
    small = numpy.array(answers, float)
    small.flat[0] += 2e-5 * max(1.0, abs(small.flat[0]))
    assert not agree(contract, small.tolist(), output=name)


def test_scales_survive_the_round_trip_and_an_old_file_has_none():
    contract = made()
    told = json.loads(json.dumps(contract.to_json()))
    assert Contract.from_json(told) == contract
    del told["tolerance"]["scales"]
    assert not Contract.from_json(told).tolerance.scales
    assert floors(told["tolerance"], "predictions", [1.0, 2.0]) == [0.0]


def test_a_long_last_axis_has_one_size_and_a_short_row_the_least():
    wide = [[float(place + 1) for place in range(MOST_SIZES + 1)]] * 4
    scale = scale_of(wide)
    assert scale and len(scale["sizes"]) == 1
    series = scale_of([[[1.0, 300.0], [3.0, 400.0]]] * 4)
    assert series and series["sizes"] == pytest.approx([5**0.5, 125_000**0.5])
    assert series["least"] == pytest.approx(1.0)
    tolerance = {"scales": {"y": series}}
    assert floors(tolerance, "y", [[0.0, 0.0]]) == pytest.approx(series["sizes"])
    assert floors(tolerance, "y", [[5**0.5 * 10, 125_000**0.5 * 10]]) == pytest.approx(
        [10 * size for size in series["sizes"]]
    )
    assert floors(tolerance, "other", [[1.0]]) == [0.0]


def test_nothing_but_gaps_or_zeros_has_no_scale():
    assert scale_of([None, None]) is None
    assert scale_of([0.0, 0.0]) is None
    assert scale_of([[None, 1.0, -2.0]])["sizes"] == [0.0, 1.0, 2.0]


def test_whole_numbers_are_equal_or_wrong_however_large():
    golden = {"rows": [[]], "answers": {"predictions": [100_000_001]}}
    loose = {"relative": 1e-5, "absolute": 1e-7, "scales": {}}
    assert not compare(golden, {"predictions": [100_000_001]}, loose)[1]
    worst, differing = compare(golden, {"predictions": [100_000_002]}, loose)
    assert (worst, len(differing)) == (1.0, 1)
    assert compare(golden, {"predictions": [10**400]}, loose)[0] == math.inf
    assert not compare(golden, {"predictions": [100_000_001.5]}, loose)[1]  # a real number has its rounding


def test_neighbours_beyond_the_doubles_are_not_one_label():
    first = 2**53
    contract = made(lambda data: numpy.full(len(data), first), "classification")
    assert agree(contract, [first], [first])
    assert not agree(contract, [first + 1], [first])
