"""FastAPI: a pydantic model for the body, a plain ``def`` since the model blocks, uvicorn[standard]."""

from typing import Any

import native
from fastapi import FastAPI
from pydantic import BaseModel, create_model

if native.TABLE:
    kinds = {name: (str if name in native.SPEC["texts"] else float, ...) for name in native.SPEC["columns"]}
    Row: Any = create_model("Row", **kinds)
elif len(native.SPEC["shape"]) == 3:
    Row = list[list[list[float]]]
else:
    Row = list[float]


class Body(BaseModel):
    rows: list[Row]


app = FastAPI()
model = native.load()


@app.post("/predict")
def predict(body: Body) -> dict[str, Any]:
    rows = [row.model_dump() for row in body.rows] if native.TABLE else body.rows
    return {"predictions": native.predict(model, rows).tolist()}
