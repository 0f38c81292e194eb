"""The floor on granian: its own interface, the same bytes to everything."""

BODY = b'{"predictions":[0],"probabilities":[[0.98,0.02,0.0]],"warnings":[]}'
HEADERS = [("content-type", "application/json")]


async def app(scope, protocol):
    protocol.response_bytes(200, HEADERS, BODY)
