"""A small HTTP server on loopback that serves what it was given, for tests of what the image service reads."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def web_server(files: Mapping[str, bytes]) -> Iterator[str]:
    """Serve these paths; gives the address, with a slash at its end. `/elsewhere` leads to the first path."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self, *, with_body: bool) -> None:
            data = files.get(self.path)
            if self.path == "/elsewhere":
                self.send_response(302)
                self.send_header("location", next(iter(files)))
            elif data is None:
                self.send_response(404)
            else:
                self.send_response(200)
                self.send_header("content-length", str(len(data)))
            self.end_headers()
            if with_body and data is not None:
                self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
