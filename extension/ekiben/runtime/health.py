"""``python -m runtime.health``: status 0 when the service on ``$PORT`` is ready, else 1. An image's health check."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException

#: Seconds that the answer may take.
PATIENCE = 4.0


def ready(port: int) -> bool:
    """Whether the service on this port of 127.0.0.1 says that it is ready."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if ready(int(os.environ.get("PORT") or "3000")) else 1)
