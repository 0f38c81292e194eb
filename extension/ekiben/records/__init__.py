"""The nouns: frozen records of plain data, each with a JSON round trip.

``src/wire.ts`` is generated from what this package names (``extension/generate_wire.py``); a test fails
when it is stale.
"""

from ekiben.codec import FORMAT, Record
from ekiben.records.contract import Contract, Field, Golden, Input, Kind, Scale, Tolerance, Unseen
from ekiben.records.finding import Finding, Level
from ekiben.records.image import Audit, Image, Layer, LayerStep, Part, SizeEstimate, Vulnerability
from ekiben.records.job import Job, JobState
from ekiben.records.model import Attempt, Compiled, Model, Origin, Piece, Project, Timing
from ekiben.records.service import Mismatch, Notice, Prediction, Replay, Server, ServerState
from ekiben.records.shown import BoxVariable, CardData, ModelVariable, SampleVariable, Snapshot, TryAnswer

__all__ = [
    "FORMAT",
    "Attempt",
    "Audit",
    "BoxVariable",
    "CardData",
    "Compiled",
    "Contract",
    "Field",
    "Finding",
    "Golden",
    "Image",
    "Input",
    "Job",
    "JobState",
    "Kind",
    "Layer",
    "LayerStep",
    "Level",
    "Mismatch",
    "Model",
    "ModelVariable",
    "Notice",
    "Origin",
    "Part",
    "Piece",
    "Prediction",
    "Project",
    "Record",
    "Replay",
    "SampleVariable",
    "Scale",
    "Server",
    "ServerState",
    "SizeEstimate",
    "Snapshot",
    "Timing",
    "Tolerance",
    "TryAnswer",
    "Unseen",
    "Vulnerability",
]
