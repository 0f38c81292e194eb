"""Ray Serve: one deployment with one replica."""

import os

import native
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment
class Predictor:
    def __init__(self) -> None:
        self.model = native.load()

    async def __call__(self, request: Request) -> dict:
        rows = (await request.json())["rows"]
        return {"predictions": native.predict(self.model, rows).tolist()}


if __name__ == "__main__":
    ray.init(include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(Predictor.bind(), blocking=True)
