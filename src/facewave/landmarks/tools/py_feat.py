"""py-feat (Cheong et al., Affective Science 2023): the CSV of a Fex, its table of faces.

Frames count from 0 and have no exact times; several faces are several rows of a frame. Emotions
are block ``other``. With its MediaPipe detector the points are the mesh's 478, else 68.
"""

from facewave.landmarks.tools.tool import Tool

TOOL = Tool(
    name="py-feat",
    frame="frame",
    first=0,
    limits={"FaceScore": 0.5},  # its default face_detection_threshold
    blocks={
        "action_units": (r"AU\d\d",),
        "head": ("Pitch", "Roll", "Yaw", "X", "Y", "Z"),
        "other": ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"),
    },
    box=("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight"),
    pixels=True,
)
