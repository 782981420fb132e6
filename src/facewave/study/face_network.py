"""A network over faces, trained on one partition as stage train would."""

from collections.abc import Sequence
from pathlib import Path

from facewave.params import FaceNetworkKind, Train
from facewave.targets import Target
from facewave.training.face_network import TrainedFaceNetwork
from facewave.training.schema import Which
from facewave.training.streamed import TrainedStreamed
from facewave.training.streamed_setup import prepare
from facewave.workspace import Clips


def trained(
    kind: FaceNetworkKind,
    targets: Sequence[Target],
    clips: Clips,
    partition: str | int,
    settings: Train,
    folder: Path,
    which: Which = "both",
    start: TrainedStreamed | None = None,
) -> tuple[TrainedStreamed, Clips]:
    """A network, and the clips that it learnt from.

    Args:
        kind: of network.
        targets: what it is asked.
        clips: that have any of the targets, and a part.
        partition: on which it is trained.
        settings: section ``train``.
        folder: has its checkpoint, from which a killed run resumes.
        which: what it learns: labels, pseudo-labels or both.
        start: a network of the same kind, from whose weights it starts.

    Raises:
        UserError: it cannot be trained, or its weights know labels of test clips.
    """
    run = prepare(TrainedFaceNetwork, kind, targets, clips, partition, settings, None, which, start)
    run.fit(folder)
    return run.trained, run.learnt.clips
