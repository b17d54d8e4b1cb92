"""Serves the real Placement on loopback until its input ends. Run by a Python that has `openstack-placement`.

    python reference_server.py FOLDER    prints the port; its database is a file in FOLDER

No login: the token is the role. It imports nothing of Kilonode and is no test itself.
"""

import importlib
import os
import sys
import threading
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

CONFIGURATION = """
[DEFAULT]
[api]
auth_strategy = noauth2
[placement_database]
connection = sqlite:///{folder}/placement.sqlite
sync_on_startup = true
[placement]
incomplete_consumer_project_id = 00000000-0000-0000-0000-000000000000
incomplete_consumer_user_id = 00000000-0000-0000-0000-000000000000
"""


class Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def main() -> None:
    folder = Path(sys.argv[1])
    (folder / "placement.conf").write_text(CONFIGURATION.format(folder=folder))
    os.environ["OS_PLACEMENT_CONFIG_DIR"] = str(folder)
    sys.argv = sys.argv[:1]
    init_application = importlib.import_module("placement.wsgi").init_application

    server = make_server("127.0.0.1", 0, init_application(), WSGIServer, Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
