"""The corpora that may be had without asking anybody, and where each comes from.

Nothing of them is in this project or passed on by it: each machine fetches them from whoever
publishes them, under their licence. Sizes in bytes.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facewave.app.fetch import lfs
from facewave.app.fetch.download import Client, Remote
from facewave.app.fetch.unpack import unpack
from facewave.errors import UserError
from facewave.labels.readers.ravdess import WORDS

# Says which files are to be fetched into a folder.
Plan = Callable[[Client, Path], list[Remote]]


@dataclass(frozen=True, kw_only=True)
class OpenCorpus:
    """A corpus that anybody may download.

    Attributes:
        name: what people call it here; also its entry and its folder below data/raw.
        title: what it is.
        source: its page.
        licence: its terms.
        cite: who must be cited.
        size: of what is downloaded; roughly, where only the pointers of git LFS tell it.
        disk: what it takes at most while it is being unpacked.
        plan: which files to fetch.
        entry: its entry in params.yaml, without the root.
        then: commands that make use of it, with {name} and {folder}.
        unpacks: how much each of its archives may unpack to; 0: its files are no archives.
        texts: files that the plan itself brings, beside the downloads.
        servers: of git LFS, which have the files that the plan names without addresses.
    """

    name: str
    title: str
    source: str
    licence: str
    cite: str
    size: int
    disk: int
    plan: Plan
    entry: Mapping[str, Any]
    then: str
    unpacks: int = 0
    texts: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()


def listed(*files: Remote) -> Plan:
    """Files that are known one by one."""
    return lambda _client, _folder: list(files)


def zenodo(record: str, sizes: Mapping[str, int]) -> Plan:
    """Files of a Zenodo record, with the MD5 of its listing.

    Args:
        record: its address in the interface, https://zenodo.org/api/records/<number>.
        sizes: the files wanted, which must still have these sizes.
    """

    def plan(client: Client, _: Path) -> list[Remote]:
        answer = client.json(record)
        try:
            offered = {
                str(file["key"]): (int(file["size"]), str(file["checksum"]), file["links"]["self"])
                for file in answer["files"]
            }
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{record} lists no files with sizes and checksums.") from None
        remotes = []
        for name, size in sizes.items():
            there, digest, url = offered.get(name, (0, "", ""))
            if there != size or not digest.startswith("md5:"):
                raise UserError(
                    f"{record}: {name} should have {size:,} bytes and has {there:,}. The record "
                    "has changed; look at its page before you use it."
                )
            remotes.append(Remote(name, str(url), size, digest))
        return remotes

    return plan


def pointers(archive: str, texts: tuple[str, ...], clips: str, suffix: str) -> Plan:
    """Clips that a git repository keeps with git LFS, and some of its texts.

    Args:
        archive: address of the repository's zip archive, which holds pointers.
        texts: paths of the texts in the repository.
        clips: the folder of the pointers there.
        suffix: of the pointers' names.
    """

    def plan(client: Client, folder: Path) -> list[Remote]:
        packed = Remote(".pointers/archive.zip", archive)
        client.fetch([packed], folder)
        inside = folder / ".pointers"

        def wanted(path: str) -> bool:
            below = path.partition("/")[2]  # the first folder is named by the commit
            return below in texts or (below.startswith(f"{clips}/") and below.endswith(suffix))

        members = {
            path.partition("/")[2]: inside / path
            for path in unpack(folder / packed.path, inside, 1 << 30, wanted)
        }
        if lacking := [path for path in (*texts, clips) if not any(
            member == path or member.startswith(f"{path}/") for member in members
        )]:  # fmt: skip
            raise UserError(f"{archive} has no {lacking[0]}: the repository was rearranged.")
        for path in texts:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            members.pop(path).replace(folder / path)
        files = [lfs.pointer(place, path) for path, place in sorted(members.items())]
        shutil.rmtree(inside)
        return files

    return plan


_GITHUB = "https://raw.githubusercontent.com/cristinalunaj/MMEmotionRecognition"
_TABLE = f"{_GITHUB}/980894893f89a18ce9bf2681fe48d077df1d11a3/data/trainingData"
_ANSWERS = f"{_GITHUB}/c19af2b1939cfe45e8b426cd3ab4061669940bcd/data/posteriors"
_MLP = (
    (56_741, "55d31d2e1feccfb162b508d143bfcdbc5fc68ff230d98bfea654088a9249bc7e"),
    (56_789, "cb3bc6766cda4e31ccb204bea9f2d76d264e35fa416b633d1373ca1a6bcd9393"),
    (56_553, "9f92c0efa91c7c4d3154e585ce8fe17f8361ff47fe7a31803ddd7ee877b7315b"),
    (56_598, "c5e81a54dfd816eace66568719b273efa2c6a32c6abab772880957b55d5a3823"),
    (45_121, "f20ebeaaea6ae206854ef7c557ab4e5f08bb5dee798da3038b361921f077b641"),
)
_BILSTM = (
    (56_986, "8ed40ccf0c4027df942ea1fdb7516e001658c3a5aeb040d3d7ffabc11c7696d9"),
    (56_957, "d8773d609c026f5be9e19dea1f7904673f686c64b7cec4b7a48171b624d0a15b"),
    (56_965, "5ea059212c01d1ccd602fc0d88b4c823523d8ee944c0e6146e91f51df8be7b38"),
    (56_870, "48a65b8da47b06938773ff84516e5dafcab025d37da35c644ebf32f4aac49aaf"),
    (45_481, "b1fe69270cc6e20150b8843c585b0ba99338a994873d4460e424adca4b860c47"),
)
_ACTION_UNITS = (
    Remote(
        "mean_action_units.csv",
        f"{_TABLE}/avg_MLP80_AUs/data_AUs_avg/df_average_AUs_total.csv",
        892_183,
        "sha256:c24faeb4069a8b5c4aad3a674763c98a76ffa2ac3457e0d4fd5bce2ffaef8d96",
    ),
    *(
        Remote(
            f"published/mean_au_mlp_fold{fold}.csv",
            f"{_ANSWERS}/avg_MLP80_AUs/posteriors/test_fold{fold}.csv",
            size,
            f"sha256:{digest}",
        )
        for fold, (size, digest) in enumerate(_MLP)
    ),
    *(
        Remote(
            f"published/au_bilstm_fold{fold}.csv",
            f"{_ANSWERS}/AUs_biLSTM_6213/posteriorsv2/"
            f"RAVDESS_AUs-val--fold_{fold}_outof_5-posteriors.csv",
            size,
            f"sha256:{digest}",
        )
        for fold, (size, digest) in enumerate(_BILSTM, start=1)
    ),
)
_SPEECH = (
    552_968_353, 570_673_024, 567_824_665, 546_560_009, 562_966_425, 568_517_859, 565_652_404,
    562_573_079, 523_489_249, 565_580_163, 518_634_370, 557_928_718, 501_877_549, 552_484_059,
    525_205_576, 562_416_513, 551_688_845, 565_655_520, 581_121_687, 561_349_264, 590_292_896,
    560_907_466, 545_177_865, 595_799_165,
)  # fmt: skip
_RAVDESS = (
    "Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech and "
    "Song (RAVDESS). PLoS ONE 13(5): e0196391. doi:10.1371/journal.pone.0196391"
)
_TRACKS_SIZE = 417_163_019
_CREMA_D_TEXTS = (
    "SentenceFilenames.csv", "VideoDemographics.csv", "processedResults/summaryTable.csv",
)  # fmt: skip
_FOLDS = "luna-jimenez"  # of its reader
_NC = "CC BY-NC-SA 4.0"
_TRAIN = (
    "dvc exp run -n {{name}} -S train.dataset={{name}} -S 'train.inputs=[{inputs}]' "
    "-S 'train.partitions=[1,2,3,4,5]' -S train.normalize=person"
)

CORPORA: dict[str, OpenCorpus] = {
    corpus.name: corpus
    for corpus in (
        OpenCorpus(
            name="ravdess-au",
            title="mean action units (OpenFace 2) of RAVDESS's 1,440 spoken clips, and the answers "
            "of two published models on the published folds",
            source="https://github.com/cristinalunaj/MMEmotionRecognition",
            licence=f"MIT; the recordings behind it {_NC}",
            cite="Luna-Jiménez C, et al. (2022). A Proposal for Multimodal Emotion Recognition "
            "Using Aural Transformers and Action Units on RAVDESS Dataset. Applied Sciences "
            f"12(1): 327. doi:10.3390/app12010327. And {_RAVDESS}",
            size=sum(file.size or 0 for file in _ACTION_UNITS),
            disk=sum(file.size or 0 for file in _ACTION_UNITS),
            plan=listed(*_ACTION_UNITS),
            entry={
                "reader": "ravdess",
                "about": "acted speech of 24 actors; mean action units of OpenFace 2",
                "licence": f"MIT; the recordings {_NC}",
                "features": {
                    "table": "mean_action_units.csv",
                    "clip": "name",
                    "columns": ["AU*_r", "AU*_c"],
                },
                "folds": _FOLDS,
            },
            # The columns of the published logits are in alphabetical order; no file says so.
            then=f"""{_TRAIN.format(inputs="functionals")}
facewave answers import '{{folder}}/published/mean_au_mlp_fold*.csv' --name mean-au-mlp \\
    --dataset {{name}}
facewave answers import '{{folder}}/published/au_bilstm_fold*.csv' --name au-bilstm \\
    --dataset {{name}} --classes {",".join(sorted(WORDS))}
facewave compare model au-bilstm""",
        ),
        OpenCorpus(
            name="ravdess-tracks",
            title="RAVDESS's 2,452 clips as OpenFace 2.1 saw them, frame by frame: action units, "
            "gaze, pose, 68 points",
            source="https://zenodo.org/records/3255102",
            licence=f"{_NC} (see the record)",
            cite="Swanson LA, Livingstone SR, Russo FA (2019). RAVDESS Facial Landmark Tracking. "
            f"doi:10.5281/zenodo.3255102. And {_RAVDESS}",
            size=_TRACKS_SIZE,
            disk=3_000_000_000,
            plan=listed(
                Remote(
                    "FacialTracking_Actors_01-24.zip",
                    "https://zenodo.org/records/3255102/files/FacialTracking_Actors_01-24.zip"
                    "?download=1",
                    _TRACKS_SIZE,
                    "md5:5753bbc64a9a790f8a8d3e03cba526ee",
                )
            ),
            unpacks=8_000_000_000,
            entry={
                "reader": "ravdess",
                "about": "acted speech and song of 24 actors; tracks of OpenFace 2.1",
                "licence": _NC,
                "tracks": {"tool": "openface"},
                "folds": _FOLDS,
            },
            then=_TRAIN.format(inputs="action_units"),
        ),
        OpenCorpus(
            name="ravdess",
            title="RAVDESS: 24 actors speak two sentences in eight emotions, videos",
            source="https://zenodo.org/records/1188976",
            licence=_NC,
            cite=_RAVDESS,
            size=sum(_SPEECH),
            disk=sum(_SPEECH) + 4 * max(_SPEECH),
            plan=zenodo(
                "https://zenodo.org/api/records/1188976",
                {
                    f"Video_Speech_Actor_{actor:02d}.zip": size
                    for actor, size in enumerate(_SPEECH, start=1)
                },
            ),
            unpacks=2_000_000_000,
            entry={
                "reader": "ravdess",
                "about": "acted speech of 24 actors",
                "licence": _NC,
                "folds": _FOLDS,
            },
            then=_TRAIN.format(inputs="blendshapes"),
        ),
        OpenCorpus(
            name="crema-d",
            title="CREMA-D: 91 actors say twelve sentences in six emotions, 7,442 videos",
            source="https://github.com/CheyneyComputerScience/CREMA-D",
            licence="Open Database License (ODbL) and Database Contents License (DbCL)",
            cite="Cao H, Cooper DG, Keutmann MK, Gur RC, Nenkova A, Verma R (2014). CREMA-D: "
            "Crowd-sourced Emotional Multimodal Actors Dataset. IEEE Transactions on Affective "
            "Computing 5(4): 377-390. doi:10.1109/TAFFC.2014.2336244",
            size=3_000_000_000,
            disk=4_000_000_000,
            texts=_CREMA_D_TEXTS,
            # GitHub's has run out of its monthly traffic before; the second is the authors'.
            servers=(
                "https://github.com/CheyneyComputerScience/CREMA-D.git/info/lfs",
                "https://gitlab.com/cs-cooper-lab/crema-d-mirror.git/info/lfs",
            ),
            plan=pointers(
                "https://codeload.github.com/CheyneyComputerScience/CREMA-D/zip/refs/heads/master",
                _CREMA_D_TEXTS,
                "VideoFlash",
                ".flv",
            ),
            entry={
                "reader": "crema_d",
                "about": "acted speech of 91 actors",
                "licence": "ODbL 1.0",
            },
            then=_TRAIN.format(inputs="blendshapes"),
        ),
    )
}  # fmt: skip


def get(name: str) -> OpenCorpus:
    """The corpus of a name.

    Raises:
        UserError: there is none.
    """
    if name not in CORPORA:
        raise UserError(
            f"there is no open corpus {name!r}; there are {', '.join(CORPORA)}. facewave fetch "
            "describes them, facewave datasets also those that need permission."
        )
    return CORPORA[name]
