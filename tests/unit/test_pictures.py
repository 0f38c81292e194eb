"""Images as samples: Pillow's and arrays, exact on their way, refused with place and remedy where they do not fit."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import ekiben
import hypothesis
import numpy
import pandas
import pytest
from ekiben import pictures
from ekiben.canonical import canonical
from ekiben.contract import infer
from ekiben.errors import UnsupportedSample
from ekiben.fields import sample_fields, to_wire
from ekiben.fuzz import good_rows
from ekiben.protocols import Description
from ekiben.records import Contract
from ekiben.requirements import data_imports
from ekiben.rows import wire_rows
from ekiben.runtime.contract import check, row_schema, to_data
from ekiben.runtime.decode import decoder
from ekiben.runtime.images import encoded, read_image
from ekiben.runtime.problems import InvalidRows
from ekiben.runtime.protocols.examples import calls
from ekiben.runtime.protocols.plain_json import by_column, by_row
from ekiben.runtime.recorder import Recorder
from PIL import Image

ABOUT = Description("look", "prediction", True)


def noise(height: int, width: int, *channels: int, seed: int = 0) -> numpy.ndarray:
    return numpy.random.default_rng(seed).integers(0, 256, (height, width, *channels), dtype="uint8")


def drawn(height: int = 10, width: int = 12, mode: str = "RGB", seed: int = 0) -> Image.Image:
    return Image.fromarray(noise(height, width, 4, seed=seed), "RGBA").convert(mode)


def means(images: Any) -> list[float]:
    return [float(numpy.asarray(image, dtype="float64").mean()) for image in images]


def agreed(sample: Any) -> Contract:
    return infer(sample, lambda data: {"predictions": means(data)}, ABOUT)


def arrived(contract: Contract, rows: list[Any]) -> Any:
    """Rows as the model gets them in a service."""
    data = json.loads(json.dumps(contract.to_json()))
    columns, warnings = check(data, json.loads(json.dumps(rows)))
    assert warnings == []
    return to_data(data, columns)


def file(image: Image.Image, kind: str, **settings: Any) -> dict[str, str]:
    raw = io.BytesIO()
    image.save(raw, kind, **settings)
    return {"b64": base64.b64encode(raw.getvalue()).decode()}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA"])
def test_pillow_images_arrive_pixel_by_pixel(mode: str) -> None:
    sample = [drawn(mode=mode, seed=seed) for seed in range(3)]
    contract = agreed(sample)
    field = contract.inputs[0]
    assert (contract.input, field.kind, field.modes) == ("images", "image", (mode,))
    assert field.shape[:2] == (10, 12)
    for sent, got in zip(sample, arrived(contract, wire_rows(sample, contract)), strict=True):
        assert (got.mode, got.size, got.tobytes()) == (sent.mode, sent.size, sent.tobytes())


@pytest.mark.parametrize("shape", [(9, 11), (9, 11, 1), (9, 11, 3), (9, 11, 4), (3, 9, 11), (1, 9, 11)])
def test_arrays_arrive_as_they_were(shape: tuple[int, ...]) -> None:
    sample = noise(5, *shape)
    contract = agreed(sample)
    assert (contract.input, contract.inputs[0].shape, contract.dtype) == ("images", shape, "uint8")
    for rows in (list(contract.golden.rows), sample.tolist()):
        got = arrived(contract, rows)
        assert got.dtype == numpy.uint8 and (got == sample).all()
    listed = agreed(list(sample))
    assert listed.dtype == "" and isinstance(arrived(listed, list(listed.golden.rows)), list)


def test_a_side_is_free_where_the_sizes_differ() -> None:
    contract = agreed([drawn(10, 12), drawn(10, 20)])
    assert contract.inputs[0].shape == (10, -1, 3)
    assert (contract.inputs[0].minimum, contract.inputs[0].maximum) == (120, 200)
    assert arrived(contract, [encoded(drawn(10, 50))])[0].size == (50, 10)
    arrays = agreed([noise(8, 9, 3), noise(10, 9, 3)])
    assert arrays.inputs[0].shape == (-1, 9, 3)
    assert [image.shape for image in arrived(arrays, list(arrays.golden.rows))] == [(8, 9, 3), (10, 9, 3)]


def test_what_the_camera_wrote_stays_at_home() -> None:
    photograph = drawn(40, 40)
    facts = Image.Exif()
    facts[0x010F], facts[0x0112] = "a camera", 6
    raw = io.BytesIO()
    photograph.save(raw, "JPEG", exif=facts)
    opened = Image.open(raw)
    assert opened.getexif()
    contract = agreed([opened])
    kept = base64.b64decode(contract.golden.rows[0]["b64"])
    assert kept.startswith(b"\x89PNG") and not Image.open(io.BytesIO(kept)).getexif()
    assert arrived(contract, list(contract.golden.rows))[0].tobytes() == opened.tobytes()


@pytest.mark.parametrize(
    ("row", "code", "path"),
    [
        (3, "wrong_type", "$.rows[0]"),
        ({"b64": 3}, "wrong_type", "$.rows[0]"),
        ({"b64": "é"}, "not_base64", "$.rows[0].b64"),
        ({"b64": base64.b64encode(b"no image").decode()}, "not_image", "$.rows[0].b64"),
        ({"b64": encoded(drawn(seed=4))["b64"][:200]}, "not_image", "$.rows[0].b64"),
        (file(drawn(), "BMP"), "not_image", "$.rows[0].b64"),
        (encoded(drawn(mode="L")), "image_mode", "$.rows[0]"),
        (encoded(drawn(11, 12)), "image_size", "$.rows[0]"),
        ([[1, 2]], "wrong_type", "$.rows[0]"),
    ],
)
def test_what_is_refused(row: Any, code: str, path: str) -> None:
    contract = agreed([drawn()]).to_json()
    with pytest.raises(InvalidRows) as caught:
        check(contract, [row])
    told = caught.value.problems[0].told("zh")
    assert (told["code"], told["path"]) == (code, path)
    assert told["message"] and told["remedy"]
    decode = decoder(contract)
    assert decode is not None and decode(json.dumps({"rows": [row]}).encode()) is None


def test_nested_lists_are_held_against_the_shape() -> None:
    contract = agreed(noise(4, 8, 9)).to_json()
    good = noise(8, 9).tolist()
    cases = {"row_shape": good[:-1], "wrong_type": [[0.5] * 9] * 8, "out_of_dtype": [[256] * 9] * 8}
    for code, row in cases.items():
        with pytest.raises(InvalidRows) as caught:
            check(contract, [row])
        assert caught.value.problems[0].code == code


def test_a_bomb_is_refused_before_it_is_read() -> None:
    contract = agreed([drawn(10, 12), drawn(11, 13)]).to_json()
    for side in (6_000, 20_000):
        bomb = file(Image.new("1", (side, side)), "PNG")
        bad: list[Any] = []
        assert read_image(contract["inputs"][0], bomb, "$.rows[0]", bad) is None
        assert [entry.code for entry in bad] == ["image_large"]


def test_files_of_three_kinds_are_read_and_palettes_are_colours() -> None:
    contract = agreed([drawn()])
    exact = drawn(seed=2)
    rows = [
        file(exact, "PNG"),
        file(exact, "JPEG"),
        file(exact, "WEBP", lossless=True),
        {"b64": "data:image/png;base64," + encoded(exact)["b64"]},
        file(exact.quantize(8), "PNG"),
    ]
    got = arrived(contract, rows)
    assert [image.mode for image in got] == ["RGB"] * 5
    assert [image.tobytes() == exact.tobytes() for image in got] == [True, False, True, True, False]


def test_one_pass_reads_what_the_reference_way_reads() -> None:
    for sample in ([drawn(), drawn(seed=1)], noise(3, 9, 9, 3)):
        contract = agreed(sample).to_json()
        decode = decoder(contract)
        assert decode is not None
        rows = list(contract["golden"]["rows"])
        fast = decode(json.dumps({"rows": rows}).encode())
        assert fast is not None
        slow = check(contract, rows)[0][0]
        assert [numpy.asarray(image).tolist() for image in fast] == [
            numpy.asarray(image).tolist() for image in slow
        ]


def test_images_stand_in_records_and_frames_too() -> None:
    records = [{"photo": drawn(seed=seed), "age": seed} for seed in range(6)]
    records[3]["photo"] = None
    for sample in (records, pandas.DataFrame(records)):
        form, data = canonical(sample)
        fields = sample_fields(form, data)
        assert (fields[0].name, fields[0].kind, fields[0].nullable) == ("photo", "image", True)
        rows = to_wire(pictures.bared(data, form, fields), form, fields)
        contract = {"input": form, "inputs": [field.to_json() for field in fields], "unseen": "reject",
                    "outside": "warn", "dtype": ""}  # fmt: skip
        got = to_data(contract, check(contract, json.loads(json.dumps(rows)))[0])
        photos = [row["photo"] for row in got] if form == "records" else got["photo"].tolist()
        assert photos[3] is None and photos[5].tobytes() == records[5]["photo"].tobytes()
        assert row_schema(contract)["properties"]["photo"]["anyOf"][1] == {"type": "null"}


@pytest.mark.parametrize(
    ("sample", "message", "remedy"),
    [
        (drawn(), "one image, not a list", r"\[image\]"),
        (noise(20, 30, 3), "one image, not a list", r"\[image\]"),
        ([drawn().convert("CMYK")], "mode is CMYK", "convert"),
        ([noise(9, 9, 3), noise(9, 9)], "channels in different ways", "same number"),
        ([Image.fromarray(noise(1500, 1500, 3))], "MB as PNG", "smaller images"),
    ],
)
def test_samples_that_cannot_be_taken(sample: Any, message: str, remedy: str) -> None:
    with pytest.raises(UnsupportedSample, match=message) as caught:
        agreed(sample)
    assert caught.value.remedy and re.search(remedy, caught.value.remedy)


def test_numbers_that_are_no_images_stay_numbers() -> None:
    assert canonical(noise(5, 9, 3).astype("float32"))[0] == "tensor"
    assert canonical(noise(5, 4, 4))[0] == "tensor"
    assert canonical(noise(5, 9, 9, 2))[0] == "tensor"
    assert canonical(noise(5, 30))[0] == "array"


def test_examples_are_few_where_images_are_large() -> None:
    small = agreed(noise(100, 16, 16))
    assert len(small.golden.rows) == 48
    large = agreed(noise(12, 400, 400, 3))
    assert len(large.golden.rows) == 4
    assert len(json.dumps(large.golden.rows)) <= pictures.MOST_BYTES


def test_pillow_is_asked_for_only_where_images_travel() -> None:
    assert data_imports(agreed([drawn()])) == ("PIL",)
    assert data_imports(agreed(noise(3, 9, 9))) == ("PIL", "numpy")
    assert "PIL" not in data_imports(agreed(noise(3, 4, 4)))


def test_what_a_person_passes_for_a_row() -> None:
    contract = agreed(noise(4, 9, 9, 3))
    one = noise(9, 9, 3, seed=7)
    wanted = [encoded(one, (9, 9, 3))]
    raw = base64.b64decode(wanted[0]["b64"])
    for rows in (one, [one], one[None], Image.fromarray(one), [Image.fromarray(one)], raw, wanted[0], wanted):
        assert wire_rows(rows, contract) == wanted


def test_examples_to_copy_name_a_file() -> None:
    contract = agreed([drawn()]).to_json()
    told = dict(calls("shade", contract, "http://here"))
    assert "base64 < image.png" in told["BentoML"] and "b64" in told["TensorFlow Serving, KServe V1"]
    picture = contract["golden"]["rows"][0]["b64"]
    assert all(picture[:60] not in text for text in told.values())


def test_a_model_that_takes_no_images_says_what_to_wrap() -> None:
    import torch

    with pytest.raises(UnsupportedSample, match="does not answer the sample") as caught:
        ekiben.wrap(torch.nn.Linear(3, 1), [drawn()], name="no-images")
    assert "Wrap a function" in str(caught.value.remedy)


def test_tensorflow_serving_clients_send_the_same_files() -> None:
    contract = agreed([drawn()]).to_json()
    file = encoded(drawn(seed=3))
    for given in (by_row(contract, [file], "$.instances"), by_column(contract, {"image": [file]})):
        assert given.rows == [file]
        assert check(contract, list(given.rows))[0][0][0].tobytes() == drawn(seed=3).tobytes()


@pytest.mark.parametrize("arrow", [True, False])
def test_recorded_requests_keep_images_as_text(
    arrow: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not arrow:
        monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    contract = agreed([drawn(), drawn(seed=1)]).to_json()
    made = Recorder(tmp_path, contract, 64, 10, 100)
    made.add([drawn(seed=5)], {"predictions": [1.0]})
    made.turn(last=True)
    (file,) = tmp_path.glob("requests-*")
    read = pandas.read_parquet(file) if arrow else pandas.read_json(file, lines=True)
    assert read["image"].tolist() == [encoded(drawn(seed=5))["b64"]]


@pytest.mark.parametrize("sample", [[drawn(mode="LA"), drawn(9, 30, mode="1")], noise(3, 3, 9, 12)])
def test_made_up_images_are_of_the_contract(sample: Any) -> None:
    contract = agreed(sample)
    data = contract.to_json()

    @hypothesis.settings(max_examples=25, deadline=None, database=None, derandomize=True)
    @hypothesis.given(good_rows(contract))
    def stand(rows: list[Any]) -> None:
        columns, warnings = check(data, json.loads(json.dumps(rows)))
        assert len(columns[0]) == len(rows) and not warnings

    stand()
