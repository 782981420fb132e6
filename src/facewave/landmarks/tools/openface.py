"""OpenFace 2.x (Baltrusaitis et al., FG 2018): FeatureExtraction's and FaceLandmarkVidMulti's CSV.

Names have a space before them. Frames count from 1; FaceLandmarkVidMulti writes several rows of a
frame, with face_id. Action units are intensities ``_r`` (0 to 5) and presences ``_c``; of the
points, the 68 in the picture are read, and neither those of the eyes nor the parameters of shape.
"""

from facewave.landmarks.tools.tool import Tool

TOOL = Tool(
    name="openface",
    frame="frame",
    first=1,
    time="timestamp",
    face="face_id",
    # Its tracker calls a frame a failure below this certainty; success is 1 or 0 by that.
    limits={"success": 1.0, "confidence": 0.725},
    blocks={
        "action_units": (r"AU\d\d_r", r"AU\d\d_c"),
        "gaze": (r"gaze_\d_[xyz]", r"gaze_angle_[xy]"),
    },
    pixels=True,
    pose=True,
)
