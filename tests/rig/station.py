"""One model with its running service, asked over HTTP as any client would."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy
from ekiben.box import Box
from ekiben.service import RunningServer


@dataclass
class Station:
    """One model with its running service."""

    name: str
    case: Any
    box: Box
    server: RunningServer

    @cached_property
    def golden(self) -> dict[str, Any]:
        """The golden rows, and the kernel's answers to them."""
        data: dict[str, Any] = self.box.contract.golden.to_json()
        return data

    @property
    def rows(self) -> list[Any]:
        """The golden rows, as ``/predict`` takes them."""
        rows: list[Any] = list(self.golden["rows"])
        return rows

    @property
    def fields(self) -> list[str]:
        """The names of the inputs."""
        return [field.name for field in self.box.contract.inputs]

    @property
    def table(self) -> bool:
        """Whether a row has its values by name."""
        return self.box.contract.input in ("table", "records")

    @property
    def columns(self) -> dict[str, list[Any]] | list[Any]:
        """The golden rows by column; as they are where the model has one input."""
        return {name: [row[name] for row in self.rows] for name in self.fields} if self.table else self.rows

    @property
    def host(self) -> str:
        """``127.0.0.1:PORT``."""
        return self.server.url.removeprefix("http://")

    def call(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON of a request; a GET without a body."""
        status, content = self.raw(path, body, **headers)
        return status, json.loads(content)

    def raw(self, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """Status and content of a request."""
        content = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        named = {"Content-Type": "application/json"}
        named |= {key.replace("_", "-"): value for key, value in headers.items()}
        try:
            with urlopen(Request(self.server.url + path, content, named), timeout=120) as response:
                return response.status, response.read()
        except HTTPError as error:
            return error.code, error.read()

    def agrees(
        self, got: Any, output: str = "predictions", relative: float = 1e-6, absolute: float = 1e-9
    ) -> None:
        """Fails unless ``got`` is what the kernel answered to the golden rows."""
        wanted = self.golden["answers"][output]
        assert len(got) == len(wanted)
        if isinstance(numpy.ravel(wanted)[0], (str, bool)):
            assert list(got) == list(wanted)
        else:
            numpy.testing.assert_allclose(numpy.asarray(got, float), wanted, rtol=relative, atol=absolute)
