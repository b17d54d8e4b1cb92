"""The plainest of HTTP clients for tests of whole clouds: blocking, one user, no retries."""

import http.client
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import yaml

MICROVERSION = "2.90"

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class NoAnswer(Exception):  # noqa: N818
    """The cloud did not answer, or not wholly: whether it did what was asked is unknown."""


class PlainClient(msgspec.Struct):
    """Logged in as the administrator of the cloud whose `clouds.yaml` it was given."""

    base: str
    token: str = ""

    @classmethod
    def log_in(cls, clouds_file: Path, name: str) -> "PlainClient":
        auth = yaml.safe_load(clouds_file.read_text())["clouds"][name]["auth"]
        domain = {"name": auth["user_domain_name"]}
        user = {"name": auth["username"], "domain": domain, "password": auth["password"]}
        project = {"name": auth["project_name"], "domain": {"name": auth["project_domain_name"]}}
        body = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": project},
            }
        }
        client = cls(auth["auth_url"].removesuffix("/identity/v3"))
        request = client._request("POST", "/identity/v3/auth/tokens", body)
        with _opener.open(request, timeout=30) as response:
            client.token = response.headers["X-Subject-Token"]
        return client

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The decoded answer. Raises NoAnswer, or HTTPError for an answer that is an error."""
        try:
            with _opener.open(self._request(method, path, body), timeout=30) as response:
                data = response.read()
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswer from error
        return json.loads(data) if data else None

    def servers(self) -> dict[str, dict[str, Any]]:
        """All servers by id, page by page."""
        found: dict[str, dict[str, Any]] = {}
        marker = ""
        while True:
            page = self.call("GET", f"/compute/v2.1/servers/detail?all_tenants=1&limit=500{marker}")["servers"]
            if not page:
                return found
            found |= {server["id"]: server for server in page}
            marker = f"&marker={page[-1]['id']}"

    def boot(self, name: str, flavor_id: str, image_id: str) -> str:
        """The id of a new server without networks."""
        wanted = {"name": name, "flavorRef": flavor_id, "imageRef": image_id, "networks": "none"}
        created = self.call("POST", "/compute/v2.1/servers", {"server": wanted})
        return str(created["server"]["id"])

    def first(self, path: str, collection: str) -> str:
        """The id of the first of some resources."""
        return str(self.call("GET", path)[collection][0]["id"])

    def _request(self, method: str, path: str, body: Any) -> urllib.request.Request:
        headers = {
            "Content-Type": "application/json",
            "X-Auth-Token": self.token,
            "OpenStack-API-Version": f"compute {MICROVERSION}",
        }
        data = None if body is None else json.dumps(body).encode()
        return urllib.request.Request(self.base + path, data=data, headers=headers, method=method)  # noqa: S310
