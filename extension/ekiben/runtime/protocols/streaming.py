"""``ModelStreamInfer``: questions and answers on one stream, for as long as the client likes.

Questions that have come are asked of the model together; answers keep their order. An error of one is told
in its answer, as Triton does, and the stream goes on; what is no message at all ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from typing import Any

from ..problems import InvalidRows
from . import messages as form
from .call import Call, inflate, refused, sentences
from .grpc import CONTENT, deadline, framed, late, status
from .inference import inferred
from .protobuf import Malformed, write

#: Questions of one stream that may be under way; further ones are not read until the first is answered.
MOST = 32

#: Awaits the work on one question, counts and notes it; what it raises comes back as a refusal.
Counted = Callable[[Awaitable[dict[str, Any]], bytes], Awaitable["dict[str, Any] | InvalidRows"]]


class _Gone(Exception):
    """Nobody listens any more."""


async def converse(call: Call, receive: Any, send: Any, counted: Counted, identity: bytes) -> None:
    """One stream, from its headers to its status. ``receive`` and ``send`` are ASGI's."""
    headers = [(b"content-type", CONTENT), (b"x-request-id", identity)]
    await send({"type": "http.response.start", "status": 200, "headers": headers, "trailers": True})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    told: tuple[tuple[bytes, bytes], ...] = ((b"grpc-status", b"0"),)
    try:
        await asyncio.wait_for(_talk(call, receive, send, counted), deadline(call))
    except asyncio.TimeoutError:
        told = status(late(call), call)
    except Malformed as error:
        told = status(refused(400, "$", "bad_message", detail=str(error)), call)
    except InvalidRows as error:
        told = status(error, call)
    except _Gone:
        return
    await send({"type": "http.response.trailers", "headers": list(told)})


async def _talk(call: Call, receive: Any, send: Any, counted: Counted) -> None:
    """Reads beside answering; what reading raised is raised when all before it is answered."""
    line: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(MOST)
    reader = asyncio.create_task(_read(call, receive, line, counted))
    try:
        while (task := await line.get()) is not None:
            await send({"type": "http.response.body", "body": await task, "more_body": True})
        await reader
    finally:
        reader.cancel()
        while not line.empty():
            if left := line.get_nowait():
                left.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await reader


async def _read(
    call: Call, receive: Any, line: asyncio.Queue[asyncio.Task[bytes] | None], counted: Counted
) -> None:
    try:
        async with contextlib.aclosing(_messages(call, receive)) as messages:
            async for message in messages:
                task = asyncio.create_task(_answer(call, message, counted))
                try:
                    await line.put(task)
                except asyncio.CancelledError:
                    task.cancel()
                    raise
    finally:
        # Nobody reads a line that is full when this was cancelled.
        with contextlib.suppress(asyncio.CancelledError):
            await line.put(None)


async def _answer(call: Call, message: bytes, counted: Counted) -> bytes:
    request: dict[str, Any] = {}
    found = await counted(_asked(replace(call, body=message), message, request), message)
    if isinstance(found, InvalidRows):
        named = {"model_name": call.engine.name, "id": request.get("id", "")}
        told = {"error_message": sentences(found, call.language), "infer_response": named}
    else:
        # Triton's word for an answer that no other follows.
        found["parameters"]["triton_final_response"] = {"bool_param": True}
        told = {"infer_response": found}
    return framed(write(form.STREAM_RESPONSE, told))


async def _asked(call: Call, message: bytes, request: dict[str, Any]) -> dict[str, Any]:
    try:
        return await inferred(call, message, request)
    except Malformed as error:
        raise refused(400, "$", "bad_message", detail=str(error)) from None


async def _messages(call: Call, receive: Any) -> AsyncGenerator[bytes, None]:
    """Whole messages, unpacked, from the pieces of the body.

    Raises:
        Malformed: what came is no message.
        InvalidRows: it is larger than the limit, or the service stops.
        _Gone: the client is.
    """
    held = bytearray()
    more = True
    ender = asyncio.create_task(call.ending.wait()) if call.ending else None
    try:
        while True:
            while len(held) >= 5:
                size = int.from_bytes(held[1:5], "big")
                if held[0] > 1:
                    raise Malformed("it does not begin with a length")
                if size > call.limit:
                    raise refused(413, "$", "too_large", limit=call.limit)
                if len(held) < 5 + size:
                    break
                packed, message = held[0], bytes(held[5 : 5 + size])
                del held[: 5 + size]
                if packed:
                    message = inflate(message, call.header(b"grpc-encoding").lower(), call.limit)
                yield message
            if not more:
                if held:
                    raise Malformed("the last message is cut off")
                return
            piece = await _piece(receive, ender)
            held += piece.get("body", b"")
            more = piece.get("more_body", False)
    finally:
        if ender:
            ender.cancel()


async def _piece(receive: Any, ender: asyncio.Task[Any] | None) -> dict[str, Any]:
    coming = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({coming, ender} if ender else {coming}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not coming.done():
            coming.cancel()
    if not coming.done() or coming.cancelled():
        raise refused(503, "$", "ending")
    piece: dict[str, Any] = coming.result()
    if piece["type"] == "http.disconnect":
        raise _Gone
    return piece
