"""A stand-in for the Hugging Face hub on this machine, which takes in what its client sends."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Hub:
    """What arrived: requests as (method, path), repositories' visibility, and files by repository.

    It answers as the hub does to create, list, preupload and commit; weights, too, come in the commit
    itself, where the hub has large files sent to its storage.

    Args:
        accepts: The token that is let in.
    """

    def __init__(self, accepts: str = "hf_ours") -> None:
        self.accepts = accepts
        self.requests: list[tuple[str, str]] = []
        self.private: dict[str, bool] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.message = ""
        self.address = ""

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, Any]:
        self.requests.append((method, path))
        if token != f"Bearer {self.accepts}":
            return 401, {"error": "Invalid user token."}
        match (method, path.strip("/").split("/")):
            case "POST", ["api", "repos", "create"]:
                return self.create(json.loads(body))
            case "POST", ["api", "validate-yaml"]:
                return 200, {"errors": [], "warnings": []}
            case "GET", ["api", "models", owner, name]:
                repo_id = f"{owner}/{name}"
                return 200, {"id": repo_id, "private": self.private[repo_id], "tags": [], "siblings": []}
            case "GET", ["api", "models", owner, name, "tree", "main"]:
                return 200, [
                    {"type": "file", "path": path, "size": len(content), "oid": "0" * 40}
                    for path, content in self.files.get(f"{owner}/{name}", {}).items()
                ]
            case "POST", ["api", "models", _, _, "preupload", "main"]:
                files = [
                    {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for file in json.loads(body)["files"]
                ]
                return 200, {"files": files}
            case "POST", ["api", "models", owner, name, "commit", "main"]:
                return self.commit(f"{owner}/{name}", body)
        return 404, {"error": "Not here"}

    def create(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        repo_id = f"{asked['organization']}/{asked['name']}"
        exists = repo_id in self.private
        self.private.setdefault(repo_id, asked.get("visibility") == "private")
        return 409 if exists else 200, {"url": f"{self.address}/{repo_id}"}

    def commit(self, repo_id: str, body: bytes) -> tuple[int, dict[str, Any]]:
        lines = [json.loads(line) for line in body.splitlines()]
        self.message = next(line["value"]["summary"] for line in lines if line["key"] == "header")
        files = self.files.setdefault(repo_id, {})
        for line in lines:
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            if line["key"] == "deletedFile":
                del files[line["value"]["path"]]
        url = f"{self.address}/{repo_id}/commit/{'0' * 40}"
        return 200, {"commitUrl": url, "commitOid": "0" * 40, "pullRequestUrl": None}


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    """Serve a stand-in on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.headers.get("Authorization", "")
            status, content = hub.answer(self.command, self.path.partition("?")[0], token, body)
            sent = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = respond  # noqa: N815  # the server's names

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
