"""BentoML without anything of ours: a typed method, its defaults."""

import bentoml
import native
import numpy as np

if native.TABLE:
    import pandas as pd

    Rows = pd.DataFrame
else:
    Rows = np.ndarray


@bentoml.service
class Plain:
    reference = bentoml.models.BentoModel(f"{native.NAME}:latest")

    def __init__(self) -> None:
        self.model = native.load(self.reference.path_of(native.FILE.name))

    @bentoml.api
    def predict(self, rows: Rows) -> np.ndarray:
        return native.predict(self.model, rows)
