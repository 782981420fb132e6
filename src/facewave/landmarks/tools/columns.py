"""Any other table with a row a frame: params.yaml names its columns."""

import fnmatch

from facewave.errors import UserError
from facewave.landmarks.tools.live_link import lower
from facewave.landmarks.tools.tool import Tool
from facewave.params import Block, Tracks

BLOCKS: tuple[Block, ...] = ("action_units", "gaze", "points68", "head", "other", "blendshapes")


def tool(tracks: Tracks) -> Tool:
    """The tool that an entry describes; blendshapes may have MediaPipe's or Apple's names.

    Raises:
        UserError: the entry names no time and no frame, no block, or one that cannot be.
    """
    if not tracks.time and not tracks.frame:
        raise UserError(
            "params.yaml: tracks with tool: columns need time: or frame:, the column that tells it."
        )
    strange = sorted(set(tracks.blocks) - set(BLOCKS))
    if strange or not tracks.blocks:
        raise UserError(
            f"params.yaml: tracks.blocks {'names ' + strange[0] if strange else 'is empty'}; with "
            f"tool: columns it has patterns of columns for some of {', '.join(BLOCKS)}."
        )
    shapes = tracks.blocks.get("blendshapes", [])
    return Tool(
        name="columns",
        time=tracks.time,
        frame=tracks.frame,
        blocks={
            block: tuple(map(fnmatch.translate, patterns))
            for block, patterns in tracks.blocks.items()
            if block != "blendshapes"
        },
        blendshape=lambda name: (
            lower(name) if any(fnmatch.fnmatchcase(name, some) for some in shapes) else ""
        ),
    )
