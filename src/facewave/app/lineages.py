"""What the models behind pseudo-labels learnt from, as the leak check knows it."""

from functools import reduce
from pathlib import Path

from facewave import params
from facewave.labels import schema as labels
from facewave.training import leaks
from facewave.training import schema as training
from facewave.training.ensemble import TrainedEnsemble
from facewave.workspace import Dataset


def lineage_of(model: training.Trained, folder: Path, loaded: params.Params) -> leaks.Lineage:
    """What a model learnt from: as it says itself, or else the clips of what it names.

    Of an ensemble it is what each member learnt from, whatever the others say of theirs. A language
    model that is asked as it comes has learnt from none, or from the examples that it is shown.

    Raises:
        UserError: a dataset that it names is not in params.yaml, or its labels are not here.
    """
    if "learnt" in model.about:
        learnt, validated = model.about["learnt"], model.about["validated"]
        here = [[model.about["dataset"], model.about["partition"]]] if learnt or validated else []
        return leaks.Lineage([*model.about.get("before", []), *here], learnt, validated)
    if isinstance(model, TrainedEnsemble):
        read = (lineage_of(of, folder.parent / role, loaded) for role, of in model.members.items())
        lineage = reduce(leaks.Lineage.beside, read, leaks.NOTHING)
    else:
        lineage = leaks.of_file(folder / "model.safetensors") or leaks.NOTHING
    for name, partition in sorted(model.learnt_from):
        if [name, partition] in lineage.before:
            continue
        dataset = Dataset(name, loaded)
        table = dataset.read_labels()
        has_label = table["excluded"].isin(["", *labels.AMBIGUOUS])
        has_label &= table["excluded"] != labels.Reason.UNLABELLED
        rows = table[has_label & (table["split"] != "")]
        asked = partition if partition == "split" else int(partition)
        part = labels.parts(rows, asked, labels.folds_of(table))
        index = dataset.read_index().set_index("video_idx")
        rows = rows[rows["video_idx"].isin(index.index)]
        learnt, validated = (
            leaks.keys_of(index, rows.loc[part == one, "video_idx"]) for one in ("train", "val")
        )
        lineage = lineage.after([name, partition], learnt, validated)
    return lineage
