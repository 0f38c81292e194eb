"""Triton's Python backend: ``model.py`` of its model repository."""

import native
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        self.model = native.load()

    def execute(self, requests):
        responses = []
        for request in requests:
            if native.TABLE:
                rows = {}
                for name in native.SPEC["columns"]:
                    values = pb_utils.get_input_tensor_by_name(request, name).as_numpy()[:, 0]
                    rows[name] = [v.decode() for v in values] if values.dtype == np.object_ else values
            else:
                rows = pb_utils.get_input_tensor_by_name(request, "rows").as_numpy()
            answers = native.predict(self.model, rows)
            if answers.dtype.kind in "OU":
                answers = np.array([str(answer).encode() for answer in answers], dtype=np.object_)
            if answers.ndim == 1:
                answers = answers[:, None]
            output = pb_utils.Tensor("predictions", answers)
            responses.append(pb_utils.InferenceResponse(output_tensors=[output]))
        return responses
