"""The web that Tempest's image tests read from: two files on a port of this machine, and nothing of the internet."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

IMAGE: Final = "image"
QCOW2_IMAGE: Final = "disk.qcow2"
_SIZE_BYTES: Final = 256 * 1024
_QCOW2_VERSION: Final = 2
_DISK_BYTES: Final = 2**30


def qcow2_disk() -> bytes:
    """A disk of 1 GiB in which nothing was ever written: a header, and tables that lead nowhere."""
    cluster_bits, cluster = 16, 1 << 16
    l1_entries = _DISK_BYTES // (cluster * cluster // 8)
    header = b"QFI\xfb" + b"".join(
        number.to_bytes(width, "big")
        for number, width in (
            (_QCOW2_VERSION, 4), (0, 8), (0, 4), (cluster_bits, 4), (_DISK_BYTES, 8), (0, 4), (l1_entries, 4),
            (3 * cluster, 8), (cluster, 8), (1, 4), (0, 4), (0, 8),
        )
    )  # fmt: skip
    counts = (2 * cluster).to_bytes(8, "big")
    references = b"\0\1" * 4
    return b"".join(part.ljust(cluster, b"\0") for part in (header, counts, references, b""))


FILES: Final = {IMAGE: bytes(range(256)) * (_SIZE_BYTES // 256), QCOW2_IMAGE: qcow2_disk()}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        data = FILES.get(self.path.removeprefix("/"))
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if with_body:
            self.wfile.write(data)


@contextmanager
def image_server(port: int = 0) -> Iterator[str]:
    """Serve the files; gives the address that the cloud has to allow. 0: any free port."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
