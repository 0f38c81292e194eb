"""MLServer has no runtime for PyTorch: a custom one, as its pages show."""

import native
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Network(MLModel):
    async def load(self) -> bool:
        self.model = native.load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = self.decode(payload.inputs[0], default_codec=NumpyCodec)
        answers = native.predict(self.model, rows)
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output(name="predict", payload=answers)]
        )
