"""KServe's Python SDK: a custom predictor, protocol V1."""

import native
from kserve import Model, ModelServer


class Predictor(Model):
    def __init__(self, name):
        super().__init__(name)
        self.load()

    def load(self):
        self.model = native.load()
        self.ready = True

    def predict(self, payload, headers=None):
        return {"predictions": native.predict(self.model, payload["instances"]).tolist()}


if __name__ == "__main__":
    ModelServer().start([Predictor(native.NAME)])
