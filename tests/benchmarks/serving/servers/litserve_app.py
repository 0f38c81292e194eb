"""LitServe: the four steps of a LitAPI."""

import os

import litserve as ls
import native


class Api(ls.LitAPI):
    def setup(self, device):
        self.model = native.load()

    def decode_request(self, request):
        return request["rows"]

    def predict(self, rows):
        return native.predict(self.model, rows)

    def encode_response(self, output):
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    ls.LitServer(Api(), accelerator="cpu").run(
        host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False
    )
