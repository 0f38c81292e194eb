"""Writes the model in MLflow's own form, with the flavour of its library; the folder is the argument."""

import json
import sys

import native

folder = sys.argv[1]
model = native.load()
if native.TENSOR:
    import mlflow.pytorch
    import numpy as np
    from mlflow.models import infer_signature

    rows = np.asarray(json.loads((native.FOLDER / "rows.json").read_text())[:2], dtype="float32")
    signature = infer_signature(rows, native.predict(model, rows))
    mlflow.pytorch.save_model(
        model, folder, signature=signature, serialization_format="pickle", pip_requirements=["torch"]
    )
else:
    import mlflow.sklearn

    mlflow.sklearn.save_model(
        model, folder, serialization_format="cloudpickle", pip_requirements=["scikit-learn"]
    )
