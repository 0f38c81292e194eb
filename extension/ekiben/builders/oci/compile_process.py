"""Compiles the Python files that a list names: a line is a path, a tab, and the path that tracebacks tell.

A program of its own, started with a fixed hash seed: with another one for each run, the sets in the
bytecode would be in another order. The bytecode is trusted without a look at its source, whose time is not
known beforehand. Files that do not compile (templates, code for other versions) are left as they are.
"""

from __future__ import annotations

import contextlib
import os
import py_compile
import sys
from concurrent.futures import ProcessPoolExecutor


def compiled(line: str) -> None:
    """One file."""
    path, _tab, told = line.partition("\t")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    with contextlib.suppress(py_compile.PyCompileError, SyntaxError, ValueError, RecursionError):
        py_compile.compile(path, dfile=told, doraise=True, quiet=2, invalidation_mode=mode)


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as listed:
        lines = listed.read().splitlines()
    workers = min(4, os.cpu_count() or 1)
    if workers < 2 or len(lines) < 100:
        for one in lines:
            compiled(one)
    else:
        with ProcessPoolExecutor(workers) as pool:
            for _nothing in pool.map(compiled, lines, chunksize=16):
                pass
