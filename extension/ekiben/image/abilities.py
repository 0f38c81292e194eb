"""What a builder may do besides ``protocols.Builder``: each makes a build kinder, none is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol, runtime_checkable

from ekiben.records import Finding, Image, Part, Project, SizeEstimate
from ekiben.records.image import SystemPackage


@runtime_checkable
class Watched(Protocol):
    """What a builder with engine may do besides ``Builder``; each makes the build kinder."""

    def rename(self, image: Image, reference: str) -> Image:
        """Gives a finished image its name, and takes the one that it was built under."""

    def died(self, container: str) -> str | None:
        """The end of the log of a container that ended by itself; None while it runs."""


@runtime_checkable
class Based(Protocol):
    """What a builder does that depends on the base image's registry being within reach."""

    def problem_with(self, base: str) -> Finding | None:
        """As ``problem``, for a base image that was named."""


@runtime_checkable
class Pushing(Protocol):
    """A builder that can send a finished image to a registry."""

    def push(self, image: Image, progress: Callable[[str], None], reference: str = "") -> int | None:
        """Sends it to the registry in ``reference``, its own name unless told; gives the bytes that were sent.

        None: not known.
        """


@runtime_checkable
class Permitted(Protocol):
    """A builder that can ask a registry beforehand whether it will take an image."""

    def may_push(self, reference: str) -> None:
        """Raises ``BuildFailed`` where it will not."""


@runtime_checkable
class Weighing(Protocol):
    """A builder that can look into its images."""

    def weigh(self, image: Image, modules: Collection[str]) -> tuple[Part, ...]:
        """What lies in it; ``modules`` were imported while it was proven."""


@runtime_checkable
class Stocked(Protocol):
    """A builder that knows which packages of a distribution its images stand on."""

    def system(self, image: Image) -> tuple[SystemPackage, ...]:
        """Those of the base, and those that libraries were taken from."""


@runtime_checkable
class Saving(Protocol):
    """A builder that can write a finished image to this disk."""

    def save(self, image: Image, target: Path) -> None:
        """Writes it whole or not at all: a file for ``docker load`` where the name ends with ``.tar``, else a
        folder in the OCI layout.
        """


@runtime_checkable
class Loading(Protocol):
    """A builder whose images may lie outside of any engine."""

    def load(self, image: Image, progress: Callable[[str], None]) -> str:
        """Puts it into the local engine; gives the engine's name, empty where none works here."""


@runtime_checkable
class Foreseeing(Protocol):
    """A builder that can tell what an image will weigh before it is built."""

    def estimate(self, project: Project, base: str) -> SizeEstimate:
        """The parts that it will have, and what they will weigh."""


@runtime_checkable
class Attaching(Protocol):
    """A builder whose images carry documents about themselves along."""

    def attach(self, image: Image, media: str, content: bytes) -> None:
        """Adds a document that refers to the image; the image's own digest stays."""


@runtime_checkable
class Runnable(Protocol):
    """A builder whose name is no program that runs images."""

    def command(self, image: Image) -> str:
        """How a person runs the image."""
