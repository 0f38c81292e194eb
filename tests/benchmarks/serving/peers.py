"""Who takes part: how each is installed, started, asked and understood.

A peer is written as its own documentation writes a server; its file is in ``servers/``. The floors answer
without a model, so that they show what HTTP alone costs; ``loop`` is the model without HTTP.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import forms
from .environments import versions
from .models import NETWORKS, Model
from .processes import free_port

SERVERS = Path(__file__).with_name("servers")


class Failed(Exception):
    """A peer cannot take part; says why."""


@dataclass
class Place:
    """Where a peer works for one model: its environment, a folder of its own, its port."""

    model: Model
    env: Path
    work: Path
    port: int
    onnx: Path | None = None

    @property
    def python(self) -> str:
        return str(self.env / "bin" / "python")

    def tool(self, name: str) -> str:
        return str(self.env / "bin" / name)

    def variables(self) -> dict[str, str]:
        return {
            "MODEL": str(self.model.folder),
            "PORT": str(self.port),
            "ONNX": str(self.onnx or ""),
            "PYTHONPATH": str(SERVERS),
            "PATH": f"{self.env / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
            "VIRTUAL_ENV": str(self.env),
            "PYTHONUNBUFFERED": "1",
            "BENTOML_DO_NOT_TRACK": "True",
            "BENTOML_HOME": str(self.work / "bentoml"),
            "RAY_USAGE_STATS_ENABLED": "0",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "1",
        }

    def run(self, *command: str) -> None:
        """Runs a preparing command to its end.

        Raises:
            Failed: it failed, with its last words.
        """
        done = subprocess.run(
            command,
            cwd=self.work,
            env={**os.environ, **self.variables()},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode:
            words = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            raise Failed(f"{Path(command[1]).name if len(command) > 1 else command[0]}: {words[-1][:300]}")


Command = Callable[[Place], Sequence[str]]


@dataclass(frozen=True)
class Peer:
    """One system. ``form`` is how it is asked (``forms.py``)."""

    name: str
    title: str
    requirements: tuple[str, ...]
    command: Command
    form: forms.Form
    prepare: Callable[[Place], None] = lambda place: None
    ported: Callable[[Place], None] | None = None  # before each start: where the port lies in a file
    kind: str = "peer"  # peer, expert, floor, ours
    models: tuple[str, ...] = ()  # all where it is empty
    env: Mapping[str, str] = field(default_factory=dict)

    def serves(self, model: str) -> bool:
        return not self.models or model in self.models

    def wants(self, model: str) -> tuple[str, ...]:
        """What its environment needs for a model."""
        if self.kind in ("floor", "expert"):
            return self.requirements
        libraries = (
            ["torch", "numpy"]
            if model in NETWORKS
            else ["scikit-learn", "joblib", *(["lightgbm"] if model == "lightgbm" else [])]
        )
        pinned = {one.split("<")[0] for one in self.requirements if "<" in one}
        libraries = [name for name in libraries if name not in pinned]  # an older one, for its own reasons
        frames = ["pandas"] if model == "pipeline" else []
        return (*self.requirements, *versions(*libraries), *frames)


def _uvicorn(target: str, *more: str) -> Command:
    return lambda p: [
        p.python, "-m", "uvicorn", target, "--host", "127.0.0.1", "--port", str(p.port), *more
    ]  # fmt: skip


def _store(place: Place) -> None:
    place.run(place.python, str(SERVERS / "bento_store.py"))


def _mlflow(place: Place) -> None:
    place.run(place.python, str(SERVERS / "mlflow_save.py"), str(place.work / "saved"))


def _mlserver(place: Place) -> None:
    network = place.model.form == "tensor"
    settings = {
        "host": "127.0.0.1",
        "http_port": place.port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,  # its pool of one worker dies with a current uvloop
    }
    served = {
        "name": place.model.name,
        "implementation": "mlserver_runtime.Network" if network else "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(place.model.file), "version": "v1"},
    }
    (place.work / "settings.json").write_text(json.dumps(settings))
    (place.work / "model-settings.json").write_text(json.dumps(served))


def _torchserve(place: Place) -> None:
    store = place.work / "store"
    store.mkdir(exist_ok=True)
    place.run(
        place.tool("torch-model-archiver"), "--model-name", place.model.name, "--version", "1.0",
        "--serialized-file", str(place.model.file), "--handler", str(SERVERS / "torchserve_handler.py"),
        "--export-path", str(store), "--force",
    )  # fmt: skip


def _torchserve_ports(place: Place) -> None:
    lines = [
        f"inference_address=http://127.0.0.1:{place.port}",
        f"management_address=http://127.0.0.1:{free_port()}",
        f"metrics_address=http://127.0.0.1:{free_port()}",
        f"grpc_inference_port={free_port()}",
        f"grpc_management_port={free_port()}",
        "default_workers_per_model=1",
        "disable_token_authorization=true",
        "max_request_size=67108864",
    ]
    (place.work / "config.properties").write_text("\n".join(lines) + "\n")


def _triton(place: Place) -> None:
    folder = place.work / "repository" / place.model.name / "1"
    folder.mkdir(parents=True, exist_ok=True)
    # The backend looks for modules beside the model only, and in the Python that PATH leads to.
    for source, name in (("triton_model.py", "model.py"), ("native.py", "native.py")):
        (folder / name).write_text((SERVERS / source).read_text())
    spec = place.model.spec
    if place.model.form == "table":
        inputs = [
            (name, "TYPE_STRING" if name in spec["texts"] else "TYPE_FP64", [1]) for name in spec["columns"]
        ]
    else:
        kind = "TYPE_FP32" if place.model.form == "tensor" else "TYPE_FP64"
        inputs = [("rows", kind, spec["shape"])]
    first = place.model.answers[0]
    kind = {str: "TYPE_STRING", list: "TYPE_FP32"}.get(type(first), "TYPE_INT64")

    def told(name: str, kind: str, shape: Sequence[int]) -> str:
        return f'{{ name: "{name}" data_type: {kind} dims: {list(shape)} }}'

    config = [
        f'name: "{place.model.name}"',
        'backend: "python"',
        "max_batch_size: 256",
        f"input [ {', '.join(told(*one) for one in inputs)} ]",
        f"output [ {told('predictions', kind, [len(first)] if isinstance(first, list) else [1])} ]",
        "instance_group [{ kind: KIND_CPU count: 1 }]",
        "dynamic_batching { }",
    ]
    (folder.parent / "config.pbtxt").write_text("\n".join(config) + "\n")


def _tritonserver(place: Place) -> list[str]:
    package = next((place.env / "lib").glob("python*/site-packages/pytriton/tritonserver"))
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    backend = place.work / "backends" / "python"
    if not backend.exists():  # the backend wants the stub of its Python beside it
        backend.mkdir(parents=True)
        for file in (package / "backends" / "python").iterdir():
            (backend / file.name).symlink_to(file)
        stub = package / "python_backend_stubs" / version / "triton_python_backend_stub"
        (backend / stub.name).symlink_to(stub)
    return [
        str(package / "bin" / "tritonserver"), f"--model-repository={place.work / 'repository'}",
        f"--backend-directory={backend.parent}", "--http-address=127.0.0.1", f"--http-port={place.port}",
        "--allow-grpc=false", f"--metrics-port={free_port()}", "--disable-auto-complete-config",
    ]  # fmt: skip


def _python_library() -> str:
    import sysconfig

    return str(sysconfig.get_config_var("LIBDIR") or "")


BARE = ("numpy", "uvicorn[standard]")

PEERS: tuple[Peer, ...] = (
    Peer(
        "bentoml", "BentoML, plain", ("bentoml",),
        lambda p: [p.tool("bentoml"), "serve", "bento_service:Plain", "--host", "127.0.0.1",
                   "--port", str(p.port), "--working-dir", str(SERVERS)],
        forms.ROWS_BARE, _store,
    ),
    Peer("fastapi", "FastAPI + uvicorn", ("fastapi[standard]",), _uvicorn("fastapi_app:app"), forms.ROWS),
    Peer(
        "flask", "Flask + gunicorn", ("flask", "gunicorn"),
        lambda p: [p.tool("gunicorn"), "--workers", "2", "--bind", f"127.0.0.1:{p.port}", "flask_app:app"],
        forms.ROWS,
    ),
    Peer(
        "mlserver", "MLServer", ("mlserver", "mlserver-sklearn"),
        lambda p: [p.tool("mlserver"), "start", str(p.work)], forms.V2, ported=_mlserver,
    ),
    Peer(
        "mlflow", "mlflow models serve", ("mlflow",),
        lambda p: [p.tool("mlflow"), "models", "serve", "-m", str(p.work / "saved"), "--env-manager", "local",
                   "-h", "127.0.0.1", "-p", str(p.port)],
        forms.MLFLOW, _mlflow,
    ),
    Peer("litserve", "LitServe", ("litserve",), lambda p: [p.python, str(SERVERS / "litserve_app.py")],
         forms.ROWS),
    Peer(
        "torchserve", "TorchServe",
        ("torchserve", "torch-model-archiver", "pyyaml", "setuptools<81", "numpy"),
        lambda p: [p.tool("torchserve"), "--start", "--foreground", "--ncs", "--model-store",
                   str(p.work / "store"), "--models", f"{p.model.name}={p.model.name}.mar",
                   "--ts-config", str(p.work / "config.properties")],
        forms.TORCHSERVE, _torchserve, _torchserve_ports, models=NETWORKS,
    ),
    Peer(
        "kserve", "KServe SDK", ("kserve",),
        lambda p: [p.python, str(SERVERS / "kserve_app.py"), "--http_port", str(p.port),
                   "--enable_grpc", "false"],
        forms.KSERVE,
    ),
    Peer("ray", "Ray Serve", ("ray[serve]", "numpy"), lambda p: [p.python, str(SERVERS / "ray_app.py")],
         forms.ROWS_AT_ROOT),
    Peer("vetiver", "vetiver", ("vetiver",), _uvicorn("vetiver_app:api"), forms.VETIVER),
    Peer(
        "triton", "Triton, Python backend", ("nvidia-pytriton", "numpy<2"), _tritonserver, forms.TRITON,
        _triton, env={"LD_LIBRARY_PATH": _python_library()},
    ),
    Peer(
        "expert", "expert: FastAPI + orjson + ONNX Runtime",
        ("fastapi", *BARE, "orjson", *versions("onnxruntime")),
        _uvicorn("expert_app:app", "--no-access-log", "--log-level", "warning"), forms.EXPERT, kind="expert",
    ),
    Peer(
        "uvicorn", "floor: bare uvicorn, constant", ("uvicorn[standard]",),
        _uvicorn("floor_asgi:app", "--no-access-log", "--log-level", "warning"), forms.CONSTANT, kind="floor",
    ),
    Peer(
        "granian", "floor: bare granian, constant", ("granian[uvloop]",),
        lambda p: [p.tool("granian"), "--interface", "rsgi", "--host", "127.0.0.1", "--port", str(p.port),
                   "--no-access-log", "floor_rsgi:app"],
        forms.CONSTANT, kind="floor",
    ),
)  # fmt: skip


def known(name: str) -> Any:
    return next((peer for peer in PEERS if peer.name == name), None)
