"""Where pip looks for packages on this machine, so that another installer can look there too.

pip's own files and variables are read, in pip's order, without running pip (which takes half a second):
the machine's, the user's and the environment's file, then ``PIP_*``; the later one wins.
"""

from __future__ import annotations

import configparser
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host")


@dataclass(frozen=True)
class Settings:
    """What pip was told of its own accord; empty where it goes by its defaults."""

    index: str = ""
    extra: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    no_index: bool = False
    trusted: tuple[str, ...] = ()

    @property
    def indexes(self) -> tuple[str, ...]:
        """The indexes that another machine could reach: those on the network."""
        return tuple(url for url in (self.index, *self.extra) if url.startswith(("http://", "https://")))

    def lines(self) -> tuple[str, ...]:
        """The indexes as lines of a requirements file."""
        first = [f"--index-url {self.index}"] if self.index in self.indexes else []
        return (*first, *(f"--extra-index-url {url}" for url in self.extra if url in self.indexes))

    def for_uv(self) -> list[str]:
        """The same as options of uv; of one name, the best version of all places is taken, as pip does."""
        options: list[str] = []
        if self.index:
            options += ["--default-index", self.index]
        for url in self.extra:
            options += ["--index", url]
        for place in self.links:
            options += ["--find-links", place]
        for host in self.trusted:
            options += ["--allow-insecure-host", host]
        if self.no_index:
            options.append("--no-index")
        return [*options, "--index-strategy", "unsafe-best-match"] if options else []


def settings() -> Settings:
    """The settings of pip here."""
    told: dict[str, str] = {}
    for file in _places():
        told.update(_read(file))
    for key in _KEYS:
        value = os.environ.get(f"PIP_{key.upper().replace('-', '_')}")
        if value:
            told[key] = value
    return Settings(
        index=told.get("index-url", "").strip(),
        extra=tuple(told.get("extra-index-url", "").split()),
        links=tuple(told.get("find-links", "").split()),
        no_index=told.get("no-index", "").strip().lower() in ("1", "true", "yes", "on"),
        trusted=tuple(told.get("trusted-host", "").split()),
    )


def uv_has_its_own() -> bool:
    """Whether the person told uv where to look; pip's settings are left alone then."""
    named = (
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_INDEX_URL",
        "UV_EXTRA_INDEX_URL",
        "UV_FIND_LINKS",
        "UV_CONFIG_FILE",
    )
    if any(os.environ.get(name) for name in named):
        return True
    files = (_config_home() / "uv" / "uv.toml", Path("/etc/uv/uv.toml"))
    return any(file.is_file() for file in files)


def _config_home() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _places() -> list[Path]:
    chosen = os.environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    home = Path.home()
    if sys.platform == "win32":
        machine = [Path(os.environ.get("PROGRAMDATA", "C:\\ProgramData")) / "pip" / name]
        person = [home / "pip" / name, _config_home() / "pip" / name]
    else:
        folders = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
        machine = [*(Path(folder) / "pip" / name for folder in reversed(folders)), Path("/etc") / name]
        person = [home / ".pip" / name, _config_home() / "pip" / name]
        if sys.platform == "darwin":
            machine.insert(0, Path("/Library/Application Support/pip") / name)
            person.insert(1, home / "Library" / "Application Support" / "pip" / name)
    return [*machine, *person, Path(sys.prefix) / name, *([Path(chosen)] if chosen else [])]


def _read(file: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}  # not there, not ours to read, or something that pip complains of itself
    return {
        key: value
        for section in ("global", "install")
        if parser.has_section(section)
        for key, value in parser.items(section)
        if key in _KEYS
    }
