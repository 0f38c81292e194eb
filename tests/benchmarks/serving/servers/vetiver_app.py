"""vetiver: the model with a prototype of its data; ``uvicorn vetiver_app:api``."""

import json

import native
import pandas as pd
from vetiver import VetiverAPI, VetiverModel

if native.TENSOR:
    model = VetiverModel(native.load(), model_name=native.NAME)
    served = VetiverAPI(model, check_prototype=False)
else:
    rows = json.loads((native.FOLDER / "rows.json").read_text(encoding="utf-8"))
    columns = native.SPEC["columns"] or [f"f{place}" for place in range(len(rows[0]))]
    model = VetiverModel(
        native.load(), model_name=native.NAME, prototype_data=pd.DataFrame(rows, columns=columns)
    )
    served = VetiverAPI(model)
api = served.app
