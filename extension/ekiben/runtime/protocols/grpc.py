"""gRPC (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md): one message in, one out, a status.

The connection is ``http2.py``'s; a server that cannot send trailers is told in a word. A caller's deadline
(``grpc-timeout``) ends the work too. The one method with many messages is ``streaming.py``'s.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from ..problems import InvalidRows
from ..reply import Reply
from . import inference, tensorflow
from .asking import aside
from .call import Call, inflate, refused, sentences
from .protobuf import Malformed

NAME = "grpc"
Method = Callable[[Call, bytes], Awaitable[bytes]]

METHODS: dict[str, Method] = {
    **{f"/inference.GRPCInferenceService/{name}": method for name, method in inference.METHODS.items()},
    **{f"/tensorflow.serving.{name}": method for name, method in tensorflow.METHODS.items()},
    "/grpc.health.v1.Health/Check": inference.health,
}
#: HTTP's status of an error: gRPC's code.
CODES = {400: 3, 404: 5, 405: 12, 408: 4, 413: 8, 415: 12, 501: 12, 503: 14, 504: 4}
CONTENT = b"application/grpc"
#: A deadline: up to eight digits and a unit, in seconds.
TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])")
UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


async def answer(call: Call) -> Reply:
    """One request.

    Raises:
        InvalidRows: with the status and what is wrong.
    """
    method = METHODS.get(call.path)
    if not _spoken(call):
        raise refused(415, call.path, "not_grpc")
    if method is None:
        raise refused(501, call.path, "unknown_route", known=", ".join(METHODS))
    try:
        answered = await asyncio.wait_for(_called(method, call), deadline(call))
    except Malformed as error:
        raise refused(400, "$", "bad_message", detail=str(error)) from None
    except asyncio.TimeoutError:
        raise late(call) from None
    return Reply(200, framed(answered), CONTENT, trailers=((b"grpc-status", b"0"),))


def trouble(error: InvalidRows, call: Call) -> Reply:
    """A gRPC status with its message; plain text where the caller does not speak gRPC."""
    if not _spoken(call):
        told = sentences(error, call.language)
        return Reply(error.status, told.encode("utf-8", "replace"), b"text/plain; charset=utf-8")
    return Reply(200, b"", CONTENT, status(error, call))


def status(error: InvalidRows, call: Call) -> tuple[tuple[bytes, bytes], ...]:
    """The two headers that tell an error."""
    told = sentences(error, call.language)
    return (
        (b"grpc-status", str(CODES.get(error.status, 13)).encode()),
        (b"grpc-message", quote(told[:1500], safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~").encode()),
    )


def framed(message: bytes) -> bytes:
    """A message as it travels."""
    return struct.pack(">BI", 0, len(message)) + message


def deadline(call: Call) -> float | None:
    """Seconds that the caller waits; None where it does not say."""
    found = TIMEOUT.fullmatch(call.header(b"grpc-timeout"))
    return int(found[1]) * UNITS[found[2]] if found else None


def late(call: Call) -> InvalidRows:
    """The caller waits no longer."""
    return refused(504, "grpc-timeout", "past_deadline", given=call.header(b"grpc-timeout"))


def _spoken(call: Call) -> bool:
    return call.trailers and call.header(b"content-type").startswith(CONTENT.decode())


async def _called(method: Method, call: Call) -> bytes:
    """A packed message is unpacked in a thread, and counts with the size that it has then."""
    if not call.body[:1] > b"\0":
        return await method(call, _message(call))
    call.body = await aside(_message, call)
    return await method(call, call.body)


def _message(call: Call) -> bytes:
    """The one message of the body, unpacked."""
    body = call.body
    if len(body) < 5 or len(body) != 5 + int.from_bytes(body[1:5], "big") or body[0] > 1:
        raise Malformed("the length is not that of the message")
    if not body[0]:
        return body[5:]
    return inflate(body[5:], call.header(b"grpc-encoding").lower(), call.limit)
