"""Other tools' per-frame tables: one small module a tool, and which one params.yaml names."""

from facewave.errors import UserError
from facewave.landmarks.tools import columns, libreface, live_link, mediapipe, openface, py_feat
from facewave.landmarks.tools.tool import Tool
from facewave.params import Tracks

TOOLS = {
    module.TOOL.name: module.TOOL for module in (openface, py_feat, libreface, mediapipe, live_link)
}


def get(tracks: Tracks) -> Tool:
    """The tool of an entry.

    Raises:
        UserError: an option that the tool has no use for, or one that it lacks.
    """
    if tracks.tool == "columns":
        return columns.tool(tracks)
    if tracks.time or tracks.frame or tracks.blocks:
        raise UserError(
            f"params.yaml: tracks.time, frame and blocks are for tool: columns; {tracks.tool} "
            "knows its own. Remove them."
        )
    return live_link.tool(tracks.fps) if tracks.tool == "live-link" else TOOLS[tracks.tool]
