"""``facewave compare`` of git revisions and DVC experiments, whose answers DVC keeps."""

import shutil
from pathlib import Path

import pytest

from facewave.app.compare import read
from facewave.errors import UserError
from making import write_params
from making_answers import answers, write
from running import run

ANSWERS = Path("data/answers")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DVC project: tags empty, first and second (HEAD), two experiments, uncommitted changes."""
    folder = tmp_path_factory.mktemp("repository")
    for command in ("git init -q", "git config user.name t", "git config user.email t@e.org"):
        run(folder, *command.split())
    run(folder, "dvc", "init", "-q")
    write_params(folder)
    (folder / "dvc.yaml").write_text(
        "stages:\n  predict:\n    cmd: cp -r made data/answers\n    deps: [made]\n"
        "    outs: [data/answers]\n"
    )
    (folder / "data").mkdir()

    def commit(name: str) -> None:
        run(folder, "git", "add", "-A")
        run(folder, "git", "commit", "-qm", name)
        run(folder, "git", "tag", name)

    commit("empty")
    for name, logistic in (("first", 0.25), ("second", 0.5)):
        write(answers(model=1.0, logistic=logistic), folder / "made")
        run(folder, "dvc", "repro", "-q")
        commit(name)
    for name, logistic in (("variant", 0.75), ("logistic", 0.0)):
        write(answers(model=0.9, logistic=logistic), folder / "made")
        run(folder, "dvc", "exp", "run", "-q", "--name", name)
        run(folder, "git", "checkout", "-q", ".")
    write(answers(model=0.1, logistic=0.6), folder / "data/answers")  # not committed
    return folder


def right(name: str) -> float:
    """The share of right answers of a run, which tells which one it is."""
    rows = read(name).rows
    return float((rows["actual"] == rows["predicted"]).mean())


def test_a_run_is_found_by_its_name(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    for name, role, share in (
        ("model", "model", 0.1),
        ("logistic", "logistic", 0.6),  # the role, though an experiment has the name
        ("HEAD", "model", 1.0),
        ("HEAD:logistic", "logistic", 0.5),
        ("HEAD~1:logistic", "logistic", 0.25),
        ("first:logistic", "logistic", 0.25),
        ("variant", "model", 0.9),
        ("variant:logistic", "logistic", 0.75),
        ("logistic:model", "model", 0.9),  # the experiment
        ("made:logistic", "logistic", 0.5),
        ("./made", "model", 1.0),
    ):
        assert set(read(name).rows["role"]) == {role}
        assert right(name) == pytest.approx(share, abs=0.1), name
    for name, message in (
        ("nothing", r"'nothing' is not a run: it is no role .*unknown Git revision 'nothing'"),
        ("nothing:model", "'nothing' is not a run"),
        ("missing", r"'missing' is not a run: .* no folder or file with answers"),
        ("HEAD:svm", "HEAD has no role 'svm'; it has model, logistic"),
        ("empty", r"the answers of empty are not here .*dvc repro predict"),
    ):
        with pytest.raises(UserError, match=message):
            read(name)


def test_a_revision_needs_no_answers_in_the_workspace_but_dvcs_copy(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(repository, tmp_path / "copy", symlinks=True))
    monkeypatch.chdir(copy)
    shutil.rmtree(ANSWERS)
    assert right("HEAD") == 1.0
    with pytest.raises(UserError, match="'majority' is not a run"):
        read("majority")
    shutil.rmtree(copy / ".dvc/cache")
    with pytest.raises(UserError, match=r"the answers of first are not here .*\(dvc pull"):
        read("first")
    monkeypatch.chdir(tmp_path)  # outside of a repository
    with pytest.raises(UserError, match=r"'HEAD' is not a run.*is not a git repository"):
        read("HEAD")


def test_two_revisions_as_a_person_compares_them(repository: Path) -> None:
    out = run(repository, "facewave", "compare", "variant:logistic", "first:logistic")
    assert "variant:logistic is better than first:logistic by " in out
    out = run(repository, "facewave", "compare", "first", "nothing", ok=False)
    assert out.startswith("facewave: 'nothing' is not a run")
    assert "Traceback" not in out
