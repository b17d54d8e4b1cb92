"""The peer of `benchmarks/api.py`: uvicorn with an application that does nothing but answer.

`GET /N` is answered with the same N bytes each time, made beforehand, as JSON. The server is set up as the cloud's own
is (uvloop, httptools, no access log). Prints its port, then serves until it is ended.
"""

import socket
from functools import lru_cache
from typing import Any

import uvicorn


@lru_cache
def body(size: int) -> bytes:
    """One JSON string of this many bytes."""
    return b'"' + b"x" * (size - 2) + b'"'


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """The application."""
    prebuilt = body(int(scope["path"][1:]))
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(prebuilt))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": prebuilt})


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(
        answer, loop="uvloop", http="httptools", ws="none", lifespan="off", log_config=None, log_level="warning",
        access_log=False, server_header=False, proxy_headers=False, timeout_keep_alive=75,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
