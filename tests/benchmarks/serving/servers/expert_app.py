"""What an expert writes by hand: FastAPI only for the route, orjson both ways, ONNX Runtime on one thread.

ONNX is the file; every output of it is sent, as ours sends labels and probabilities. No validation.
"""

import os

import native
import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["ONNX"], options, providers=["CPUExecutionProvider"])
inputs = session.get_inputs()
names = [one.name for one in inputs]
dtype = {"tensor(double)": np.float64, "tensor(float)": np.float32}
kinds = [dtype.get(one.type, object) for one in inputs]
outputs = [one.name for one in session.get_outputs()]
app = FastAPI()


def feed(rows):
    if native.TABLE:
        return {
            name: np.array([[row[name]] for row in rows], dtype=kind)
            for name, kind in zip(names, kinds, strict=True)
        }
    return {names[0]: np.array(rows, dtype=kinds[0])}


@app.post("/predict")
async def predict(request: Request):
    rows = orjson.loads(await request.body())["rows"]
    found = session.run(None, feed(rows))
    body = {
        name: values.tolist() if values.dtype.kind in "OU" else values
        for name, values in zip(outputs, found, strict=True)
    }
    return Response(orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")
