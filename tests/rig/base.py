"""A small base image made of this machine's own Python, for machines that reach no image registry.

It stands in for ``python:X.Y-slim``: the interpreter that runs the tests with its standard library and
pip, a shell, the few programs that BentoML's container file calls, the C libraries that wheels expect
and the machine's CA bundle. Linux only; no root is needed.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pip

PROGRAMS = (
    *("sh", "bash", "env", "grep", "sed", "find", "tar", "groupadd", "useradd"),
    *(
        "basename",
        "cat",
        "chmod",
        "chown",
        "cp",
        "cut",
        "date",
        "dirname",
        "head",
        "id",
        "install",
        "ln",
        "ls",
    ),
    *(
        "mkdir",
        "mktemp",
        "mv",
        "readlink",
        "rm",
        "rmdir",
        "sleep",
        "sort",
        "stat",
        "tail",
        "tee",
        "touch",
        "tr",
    ),
    *("true", "uname", "wc"),
)
#: What wheels may be linked to on any Linux (manylinux), and the resolver of host names. As in Python's
#: slim image there is no libgomp, which some packages need all the same.
LIBRARIES = (
    *("libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libutil.so.1"),
    *("libstdc++.so.6", "libgcc_s.so.1", "libz.so.1", "libexpat.so.1"),
    *("libresolv.so.2", "libnss_dns.so.2", "libnss_files.so.2"),
)
LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3"}
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "shadow": "",
    "gshadow": "",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "login.defs": "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\n",
}
FOLDERS = (
    *("usr", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "usr/local", "usr/local/bin"),
    *("etc", "etc/default", "etc/skel", "etc/ssl", "etc/ssl/certs"),
    *("dev", "home", "proc", "root", "run", "sys", "var"),
)
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


def write(target: Path) -> None:
    """Writes the root file system as the tar archive ``target``; about 100 MB, some seconds."""
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        root = _Root(archive)
        for folder in (
            "usr",
            *LINKS.values(),
            "usr/local",
            "usr/local/bin",
            "etc",
            "root",
            "home",
            "proc",
            "sys",
        ):
            root.folder(folder)
        for folder in ("dev", "run", "var", "etc/ssl", "etc/ssl/certs", "etc/default", "etc/skel"):
            root.folder(folder)
        for folder in ("tmp", "var/tmp"):
            root.folder(folder, 0o1777)
        for name, goal in LINKS.items():
            root.link(name, goal)
        for name, text in ETC.items():
            root.text(f"etc/{name}", text)
        _programs(root)
        _python(root)
        _archives(root)
        bundle = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
        if bundle:
            root.file(CERTIFICATES.lstrip("/"), Path(bundle).resolve())
        _packages(root)


class _Root:
    """An archive that takes each path once, owned by root."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self.archive = archive
        self.seen: set[str] = set()
        self.files: set[str] = set()

    def _add(self, info: tarfile.TarInfo, content: bytes = b"") -> None:
        if info.name in self.seen:
            return
        self.seen.add(info.name)
        if info.isreg():
            info.size = len(content)
            self.files.add(info.name)
        self.archive.addfile(info, io.BytesIO(content))

    def folder(self, path: str, mode: int = 0o755) -> None:
        info = tarfile.TarInfo(path)
        info.type, info.mode = tarfile.DIRTYPE, mode
        self._add(info)

    def link(self, path: str, goal: str) -> None:
        info = tarfile.TarInfo(path)
        info.type, info.linkname = tarfile.SYMTYPE, goal
        self._add(info)

    def text(self, path: str, content: str, mode: int = 0o644) -> None:
        info = tarfile.TarInfo(path)
        info.mode = mode
        self._add(info, content.encode())

    def file(self, path: str, source: Path) -> None:
        info = tarfile.TarInfo(_merged(path))
        info.mode = 0o755 if os.access(source, os.X_OK) else 0o644
        self._add(info, source.read_bytes())

    def needs(self, binary: Path) -> None:
        """The shared libraries of a program or library, where the loader found them."""
        found = subprocess.run(["ldd", binary], capture_output=True, text=True, check=False)
        for path in re.findall(r"(?:=> |^\s+)(/\S+)", found.stdout, re.MULTILINE):
            source = Path(path)
            if source.name.startswith("libpython"):
                self.file(f"usr/lib/{source.name}", source)
            else:
                self.file(path.lstrip("/"), source)


def _merged(path: str) -> str:
    """``lib/x`` is ``usr/lib/x``: the folders of the root are links."""
    head, _slash, rest = path.partition("/")
    return f"{LINKS[head]}/{rest}" if head in LINKS and rest else path


def _archives(root: _Root) -> None:
    """Where Debian's packages come from and who signs them, as this machine has it."""
    root.folder("etc/apt")
    root.folder("etc/apt/sources.list.d")
    files = [Path("/etc/os-release"), Path("/etc/apt/sources.list")]
    files += sorted(Path("/etc/apt/sources.list.d").glob("*"))
    for file in files:
        if file.is_file() and (file.name == "os-release" or "/debian" in file.read_text()):
            root.file(str(file).lstrip("/"), file)
    keyrings = [*Path("/usr/share/keyrings").glob("debian-*"), *Path("/etc/apt/trusted.gpg.d").glob("*")]
    for file in sorted(keyrings):
        root.file(str(file).lstrip("/"), file.resolve())


def _packages(root: _Root) -> None:
    """dpkg's list of the packages that the files above are from, where this machine has one."""
    status, lists = Path("/var/lib/dpkg/status"), Path("/var/lib/dpkg/info")
    if not status.is_file():
        return
    owners: dict[str, str] = {}
    for listed in lists.glob("*.list"):
        package = listed.stem.partition(":")[0]
        for path in listed.read_text().split():
            owners[_merged(path.lstrip("/"))] = package
    wanted = {owners[path] for path in root.files if path in owners}
    stanzas = status.read_text().split("\n\n")
    kept = [stanza for stanza in stanzas if stanza.partition("\n")[0].removeprefix("Package: ") in wanted]
    for folder in ("var/lib", "var/lib/dpkg"):
        root.folder(folder)
    root.text("var/lib/dpkg/status", "\n\n".join([*kept, ""]))


def _programs(root: _Root) -> None:
    for name in PROGRAMS:
        found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if found is None:
            raise FileNotFoundError(f"the base image needs the program {name}")
        folder = "usr/sbin" if "/sbin/" in found else "usr/bin"
        root.file(f"{folder}/{name}", Path(found).resolve())
        root.needs(Path(found).resolve())
    table = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    for name in LIBRARIES:
        found_at = re.search(rf"^\s+{re.escape(name)} .*=> (\S+)", table, re.MULTILINE)
        if found_at:
            root.file(found_at.group(1).lstrip("/"), Path(found_at.group(1)).resolve())
            root.needs(Path(found_at.group(1)))
    locale = Path("/usr/lib/locale/C.utf8")
    for file in sorted(locale.rglob("*")) if locale.is_dir() else ():
        if file.is_file():
            root.file(str(file).lstrip("/"), file)


def _python(root: _Root) -> None:
    interpreter = Path(sys.executable).resolve()
    root.file(f"usr/local/bin/python{MINOR}", interpreter)
    root.needs(interpreter)
    root.link("usr/local/bin/python3", f"python{MINOR}")
    root.link("usr/local/bin/python", f"python{MINOR}")
    root.text("usr/local/bin/pip", '#!/bin/sh\nexec python3 -m pip "$@"\n', 0o755)
    library = f"usr/local/lib/python{MINOR}"
    for name in ("stdlib", "platstdlib"):
        source = Path(sysconfig.get_path(name, vars={"platbase": sys.base_exec_prefix}))
        for file in sorted(source.rglob("*")):
            inside = file.relative_to(source)
            if LEFT_OUT & set(inside.parts) or inside.parts[0].startswith("config-") or not file.is_file():
                continue
            root.file(f"{library}/{inside}", file)
            if file.suffix == ".so":
                root.needs(file)
    home = Path(pip.__file__).parent
    for folder in ("site-packages", "dist-packages"):
        for file in sorted(home.rglob("*.py")) + sorted(home.rglob("*.pem")) + sorted(home.rglob("*.txt")):
            root.file(f"{library}/{folder}/pip/{file.relative_to(home)}", file)
