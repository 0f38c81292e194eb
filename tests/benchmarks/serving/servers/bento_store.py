"""Puts the model's file into the BentoML store, as BentoML's pages do with ``bentoml.models.create``."""

import shutil

import bentoml
import native

with bentoml.models.create(native.NAME) as made:
    shutil.copy(native.FILE, made.path_of(native.FILE.name))
