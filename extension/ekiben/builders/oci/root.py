"""A proof without an engine: the layers are laid out in a folder and the image's own command runs there.

Where the kernel lets us, the folder is the root of the process (``chroot`` in namespaces of its own, as
root or through a user namespace). Else this machine's Python runs the image's command with the image's
paths and nothing else of this machine's: the words for it are "without isolation".
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

from ekiben import paths, scratch
from ekiben.builders.oci import layout
from ekiben.errors import ServiceFailed
from ekiben.protocols import WATCHED
from ekiben.shell import APART
from ekiben.words import _

KIND = "root"
_children: dict[str, subprocess.Popen[bytes]] = {}
#: Bound into the root; the rest of a container's world is not needed to answer.
_SCRIPT = (
    'set -e; for d in dev proc; do mkdir -p "$0/$d"; mount --rbind "/$d" "$0/$d"; done; '
    'mkdir -p "$0/tmp"; mount -t tmpfs tmpfs "$0/tmp"; chmod 1777 "$0/tmp"; exec "$@"'
)


def lay_out(image: Path, target: Path) -> None:
    """Unpacks the layers of a layout one over the other, with the whiteouts obeyed, inside ``target`` only."""
    target.mkdir(parents=True, exist_ok=True)
    manifest = json.loads(layout.manifest_text(image))
    for layer in manifest["layers"]:
        with tarfile.open(layout.blob(image, layer["digest"]), "r:*") as archive:
            for member in archive:
                _unpack(archive, member, target)


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    parts = [part for part in member.name.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return
    above = _inside(root, parts[:-1])
    above.mkdir(parents=True, exist_ok=True)
    name = parts[-1]
    if name.startswith(".wh."):
        hidden = [above / name[4:]] if name != ".wh..wh..opq" else list(above.iterdir())
        for path in hidden:
            _delete(path)
        return
    path = above / name
    if member.isdir():
        if path.is_symlink() and _inside(root, parts).is_dir():
            return  # the base's /lib is a link; a folder of that name goes where it leads
        path.mkdir(exist_ok=True)
        path.chmod((member.mode & 0o1777) | stat.S_IRWXU)
        _own(path, member)
        return
    _delete(path)
    if member.issym():
        path.symlink_to(member.linkname)
    elif member.islnk():
        os.link(_inside(root, member.linkname.split("/")), path, follow_symlinks=False)
    elif member.isfile():
        body = archive.extractfile(member)
        assert body is not None
        with open(path, "wb") as file:
            shutil.copyfileobj(body, file, 1 << 20)
        path.chmod((member.mode & 0o777) | stat.S_IRUSR)
        _own(path, member)


def _own(path: Path, member: tarfile.TarInfo) -> None:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(path, member.uid, member.gid)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _inside(root: Path, parts: list[str], depth: int = 0) -> Path:
    """Where a path of the image is, links followed as the image would: never out of ``root``."""
    here = root
    for place, part in enumerate(parts):
        if part in ("", "."):
            continue
        if part == "..":
            here = here if here == root else here.parent
            continue
        here = here / part
        if here.is_symlink():
            if depth > 40:
                raise OSError(f"links without end: {'/'.join(parts)}")
            goal = os.readlink(here)
            before = [] if goal.startswith("/") else list(here.parent.relative_to(root).parts)
            return _inside(root, [*before, *goal.split("/"), *parts[place + 1 :]], depth + 1)
    return here


def isolates() -> bool:
    """Whether a process may have a folder as its root here."""
    if sys.platform != "linux" or not all(map(shutil.which, ("unshare", "chroot", "mount", "sh"))):
        return False
    tried = subprocess.run(
        [*_namespaces(), "sh", "-c", "mount -t tmpfs tmpfs /tmp"], capture_output=True, check=False
    )
    return tried.returncode == 0


def _namespaces() -> list[str]:
    return ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]


def start(image: Path, root: Path, log: Path, port: int, isolated: bool) -> subprocess.Popen[bytes]:
    """Starts the image's command on its laid out layers.

    Raises:
        ServiceFailed: the packages are for another platform than this one, and nothing isolates them.
    """
    config = layout.config_of(image)
    told: dict[str, Any] = config["config"]
    values = dict(entry.split("=", 1) for entry in told["Env"]) | {"PORT": str(port), **WATCHED}
    command = list(told["Entrypoint"]) + list(told.get("Cmd") or [])
    if isolated:
        user, _colon, group = str(told["User"]).partition(":")
        who = [f"--userspec={user}:{group or user}"] if os.geteuid() == 0 else []
        inside = ["sh", "-c", 'cd "$0"; exec "$@"', told["WorkingDir"], *command]
        chroot = [str(shutil.which("chroot")), *who, str(root), *inside]
        argv = [*_namespaces(), str(shutil.which("sh")), "-c", _SCRIPT, str(root), *chroot]
        values["PATH"] = values.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
        cwd = "/"
    else:
        argv, values, cwd = _here(config, values, command, root)
    with open(log, "wb") as out:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env=values,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            **APART,
        )


def _here(
    config: dict[str, Any], values: dict[str, str], command: list[str], root: Path
) -> tuple[list[str], dict[str, str], str]:
    """The image's command with this machine's Python; its own paths begin at ``root``."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "")
    if sys.platform != "linux" or config["architecture"] != machine:
        raise ServiceFailed(
            _(
                "An image for {platform} cannot be tried here without an engine.",
                platform=f"linux/{config['architecture']}",
            ),
            remedy=_("Install Podman or Docker, or build on that platform."),
        )
    own = {
        name: ":".join(f"{root}{part}" for part in value.split(":"))
        for name, value in values.items()
        if name in ("PYTHONPATH", "HOME", "BENTOML_HOME", "LD_LIBRARY_PATH")
    }
    (root / "tmp").mkdir(exist_ok=True)
    values = {**values, **own, "TMPDIR": str(root / "tmp"), "PYTHONNOUSERSITE": "1"}
    argv = [sys.executable, "-S", *command[1:]] if command[0] == "python3" else command
    return argv, values, f"{root}{config['config']['WorkingDir']}"


def run(image: Path, port: int) -> str:
    """Lays the image out in a temporary folder and starts it there; gives a name for ``died`` and ``stop``."""
    place = scratch.make(KIND)
    try:
        place.chmod(0o755)  # the image's own user goes through it
        lay_out(image, place / "root")
        process = start(image, place / "root", place / "log", port, isolates())
        (place / "pid").write_text(f"{process.pid} {paths.process_birth(process.pid) or 0.0}")
        _children[str(place)] = process
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return str(place)


def is_ours(container: str) -> bool:
    """Whether ``run`` gave this name."""
    return Path(container).name.startswith(f"ekiben-{KIND}-")


def died(container: str) -> str | None:
    """The end of the log of a process that ended by itself; None while it runs."""
    place = Path(container)
    pid, birth = (place / "pid").read_text().split()
    return None if paths.alive(int(pid), float(birth) or None) else _log(place)[-2000:]


def stop(container: str) -> str:
    """Ends the process and removes its folder; gives its log."""
    place = Path(container)
    try:
        pid, birth = (place / "pid").read_text().split()
        paths.stop_tree(int(pid), float(birth) or None, timeout=5.0)
        process = _children.pop(container, None)
        if process is not None:
            process.wait(5.0)
        return _log(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _log(place: Path) -> str:
    return (place / "log").read_text(encoding="utf-8", errors="replace")
