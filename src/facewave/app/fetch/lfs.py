"""Large files of a git repository: pointers out of its archive, files through git LFS's batch API.

The pointers (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md) give each file's SHA-256
and size, so it may come from any server that has it, such as a mirror with traffic to spare. The
API: https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from facewave.app.fetch.download import Client, Remote
from facewave.errors import UserError

_POINTER = re.compile(
    r"version https://git-lfs\.github\.com/spec/v1\noid (sha256:[0-9a-f]{64})\nsize (\d+)\n"
)
_TYPE = "application/vnd.git-lfs+json"
_BATCH = 100  # objects, as the API recommends


def pointer(path: Path, name: str) -> Remote:
    """The file that a pointer stands for, still without its address.

    Raises:
        UserError: it is no pointer.
    """
    content = path.read_bytes()[:1024].decode("utf-8", "replace")
    match = _POINTER.fullmatch(content)
    if match is None:
        raise UserError(f"{path} is no pointer of git LFS. Delete its folder and run again.")
    return Remote(name, "", int(match[2]), match[1])


def batches(
    client: Client, servers: Sequence[str], files: Sequence[Remote]
) -> Iterator[list[Remote]]:
    """The files with their addresses, a batch at a time, since addresses expire.

    Args:
        client: asks.
        servers: addresses of git LFS servers; the next is asked for what the one before lacks.
        files: as their pointers have them.

    Raises:
        UserError: after all others have been given: no server has some of the files.
    """
    lost: dict[str, str] = {}  # path -> what the last server said
    for at in range(0, len(files), _BATCH):
        waiting = list(files[at : at + _BATCH])
        for server in servers:
            located, lost_here = _ask(client, server, waiting) if waiting else ([], {})
            if located:
                yield located
            waiting = [file for file in waiting if file.path in lost_here]
        lost |= {file.path: lost_here[file.path] for file in waiting}
    if lost:
        path, reason = next(iter(lost.items()))
        raise UserError(
            f"{len(lost)} of {len(files)} files cannot be had from {' or '.join(servers)}; the "
            f"first: {path} ({reason}). The others are kept; run the same command again later."
        )


def _ask(
    client: Client, server: str, files: Sequence[Remote]
) -> tuple[list[Remote], dict[str, str]]:
    """Where a server has files; of those that it lacks the path with its reason."""
    body = {
        "operation": "download",
        "transfers": ["basic"],
        "objects": [{"oid": _oid(file), "size": file.size} for file in files],
        "hash_algo": "sha256",
    }
    headers = {"Accept": _TYPE, "Content-Type": _TYPE}
    try:
        answer = client.json(f"{server}/objects/batch", body, headers)
        objects = {str(item["oid"]): item for item in answer["objects"]}
    except UserError as error:  # it has no traffic left, say
        return [], dict.fromkeys((file.path for file in files), str(error))
    except (KeyError, TypeError):
        return [], dict.fromkeys((file.path for file in files), f"{server} does not speak git LFS")
    located, lost = [], {}
    for file in files:
        item = objects.get(_oid(file), {})
        try:
            action = item["actions"]["download"]
            href = str(action["href"])
            if server.startswith("https:") and not href.startswith("https:"):
                lost[file.path] = f"{server} names the open address {href}"
                continue
            headers = {str(key): str(value) for key, value in action.get("header", {}).items()}
            located.append(Remote(file.path, href, file.size, file.digest, headers))
        except (KeyError, TypeError, AttributeError):
            lost[file.path] = _reason(item)
    return located, lost


def _oid(file: Remote) -> str:
    return file.digest.removeprefix("sha256:")


def _reason(item: Any) -> str:
    error = item.get("error") if isinstance(item, dict) else None
    return str(error.get("message", "no reason given")) if isinstance(error, dict) else "not there"
