"""What the READMEs tell to type is what the repository does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
READMES = ("README.md", "README.zh-CN.md")


def blocks(name: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (REPOSITORY / name).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("name", READMES)
def test_the_debian_packages_are_those_of_the_makefile(name: str) -> None:
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^DEBIAN_PACKAGES := (.*?)\n\n", makefile, re.MULTILINE | re.DOTALL)
    told = re.search(r"sudo apt-get install ([^`]*)`", (REPOSITORY / name).read_text(encoding="utf-8"))
    assert found and told
    wanted = found[1].partition("\\")[0].split()
    assert told[1].split() == [*wanted, "docker.io"] and "docker.io" in found[1]


def test_both_say_the_same_to_type() -> None:
    """The comments beside it are in each one's language."""
    for kind in ("python", "sh"):
        english, chinese = (
            ["".join(re.split(r"#.*", text)) for text in blocks(name, kind)] for name in READMES
        )
        assert english and english == chinese
    for text in blocks("README.md", "python"):
        ast.parse(text)
