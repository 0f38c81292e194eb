"""The model's file as ONNX, for the expert's server; the target is the argument."""

import json
import sys

import native

target = sys.argv[1]
model = native.load()
if native.TENSOR:
    import torch

    rows = json.loads((native.FOLDER / "rows.json").read_text())[:2]
    torch.onnx.export(
        model,
        (torch.tensor(rows, dtype=torch.float32),),
        target,
        input_names=["rows"],
        output_names=["predictions"],
        dynamic_axes={"rows": {0: "n"}, "predictions": {0: "n"}},
        dynamo=False,  # what dynamo makes of a TorchScript file it cannot read
    )
else:
    from skl2onnx import to_onnx, update_registered_converter
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    options = {id(model): {"zipmap": False}}
    if type(model).__module__.startswith("lightgbm"):
        from lightgbm import LGBMClassifier
        from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
        from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

        update_registered_converter(
            LGBMClassifier,
            "LightGbmLGBMClassifier",
            calculate_linear_classifier_output_shapes,
            convert_lightgbm,
            options={"nocl": [True, False], "zipmap": [True, False, "columns"]},
        )
    if native.TABLE:
        texts = native.SPEC["texts"]
        types = [
            (name, StringTensorType([None, 1]) if name in texts else FloatTensorType([None, 1]))
            for name in native.SPEC["columns"]
        ]
    else:
        types = [("rows", FloatTensorType([None, native.SPEC["shape"][0]]))]
    made = to_onnx(model, initial_types=types, options=options, target_opset={"": 17, "ai.onnx.ml": 3})
    with open(target, "wb") as file:
        file.write(made.SerializeToString())
