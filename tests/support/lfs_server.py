"""A git LFS server on loopback, and pointers to what it has."""

import hashlib
from typing import Any

from faulty_server import Server

CONTENTS = {f"VideoFlash/{n}.flv": f"clip {n}".encode() for n in range(5)}


def pointer_of(content: bytes) -> str:
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n"


def store(server: Server, name: str, lacking: tuple[str, ...] = ()) -> str:
    """A git LFS server at /name that has the contents, but for some; its address."""
    oids = {hashlib.sha256(content).hexdigest(): path for path, content in CONTENTS.items()}

    def batch(body: Any) -> tuple[int, Any]:
        assert body["operation"] == "download"
        objects = []
        for item in body["objects"]:
            path = oids[item["oid"]]
            assert item["size"] == len(CONTENTS[path])
            if path in lacking:
                objects.append({**item, "error": {"code": 404, "message": "it was deleted"}})
                continue
            server.files[f"/{name}/{path}"] = CONTENTS[path]
            place = {"href": server.url(f"/{name}/{path}"), "header": {"X-Pass": "word"}}
            objects.append({**item, "actions": {"download": place}})
        return 200, {"transfer": "basic", "objects": objects}

    server.posts[f"/{name}/objects/batch"] = batch
    return server.url(f"/{name}")
