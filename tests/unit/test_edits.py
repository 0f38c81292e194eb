"""What a person edited in a project stays, or is told: no writing loses it without a word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ekiben
import numpy
import pandas
import pytest
from ekiben import as_made, edits, project
from ekiben.errors import EkibenError
from ekiben.image import job as image_job
from sklearn.linear_model import LogisticRegression

MINE = "\n# mine\n"


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> ekiben.Box:
    X = pandas.DataFrame({"age": numpy.arange(20, 60), "wide": numpy.linspace(0, 1, 40)})
    model = LogisticRegression().fit(X, [0, 1] * 20)
    return ekiben.wrap(model, X, name="edits", project_dir=tmp_path_factory.mktemp("made") / "project")


@pytest.fixture
def folder(box: ekiben.Box) -> Iterator[Path]:
    """The usual project of the model, new."""
    home = project.home(box.model.tag)
    shutil.rmtree(home, ignore_errors=True)
    yield Path(project.write(project.render(box.model)).folder)
    shutil.rmtree(home, ignore_errors=True)
    shutil.rmtree(project.home(box.model.tag + ".compiled"), ignore_errors=True)


def edit(file: Path) -> str:
    text = file.read_text(encoding="utf-8") + MINE
    file.write_text(text, encoding="utf-8")
    return text


def told(found: project.Project) -> list[tuple[str, str]]:
    return [(finding.level, finding.message.split()[0]) for finding in found.findings]


@pytest.mark.parametrize("path", [*edits.YOURS, "runtime/gate.py"])
def test_every_edited_file_stays_and_is_told(box: ekiben.Box, folder: Path, path: str) -> None:
    mine = edit(folder / path)
    again = ekiben.open_box(box.model.tag)
    assert (folder / path).read_text(encoding="utf-8") == again.project.files[path] == mine
    assert told(again.project) == [("info", path)]
    assert again.project.findings[0] in again.card().model.findings
    built = image_job.written(box.model, True)
    assert built.files[path] == mine and told(built) == [("info", path)]
    (folder / path).unlink()  # what the remedy says
    renewed = ekiben.open_box(box.model.tag).project
    assert renewed.files[path] == project.render(box.model).files[path] and not renewed.findings


def test_what_nobody_edited_is_written_anew_without_a_word(box: ekiben.Box, folder: Path) -> None:
    for file in folder.rglob("*.yaml"):  # an editor with other ends of lines changed nothing
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    later = project.write(project.render(replace(box.model, version="later")), folder)
    assert not later.findings and later.files == project.render(replace(box.model, version="later")).files


def test_a_later_version_keeps_what_is_a_persons_and_sets_the_rest_aside(
    box: ekiben.Box, folder: Path
) -> None:
    edit(folder / "requirements.txt")
    contract = folder / "contract.json"
    data = json.loads(contract.read_text(encoding="utf-8"))
    contract.write_text(json.dumps({**data, "outside": "reject"}), encoding="utf-8")
    golden = replace(box.model.contract.golden, rows=box.model.contract.golden.rows[:1])
    later = replace(box.model, version="later", contract=replace(box.model.contract, golden=golden))
    found = project.write(project.render(later), folder)
    assert found.files["requirements.txt"].endswith(MINE) and later.tag in found.files["requirements.txt"]
    assert told(found) == [("warning", "requirements.txt"), ("warning", "contract.json")]
    assert "contract.json.edited " in found.findings[1].message
    assert json.loads((folder / "contract.json.edited").read_text(encoding="utf-8"))["outside"] == "reject"
    assert json.loads(contract.read_text(encoding="utf-8")) == later.contract.to_json()


def test_a_file_that_ekiben_never_wrote_is_not_written_over(box: ekiben.Box, folder: Path) -> None:
    (folder / "helpers.py").write_text("years of work", encoding="utf-8")
    made = project.render(box.model)
    found = project.write(replace(made, files={**made.files, "helpers.py": "ours"}), folder)
    assert (folder / "helpers.py").read_text(encoding="utf-8") == "ours"
    assert (folder / "helpers.py.edited").read_text(encoding="utf-8") == "years of work"
    assert told(found) == [("warning", "helpers.py")]


def test_edits_of_another_model_are_refused(box: ekiben.Box, folder: Path) -> None:
    mine = edit(folder / "bentofile.yaml")
    with pytest.raises(EkibenError, match="there was edited") as caught:
        project.write(project.render(replace(box.model, name="other")), folder)
    assert caught.value.remedy and (folder / "bentofile.yaml").read_text(encoding="utf-8") == mine


@pytest.mark.parametrize("path", ["requirements.txt", "runtime/gate.py"])
def test_an_edit_that_cannot_be_read_is_told_with_its_place(box: ekiben.Box, folder: Path, path: str) -> None:
    content = "中".encode("gbk")
    (folder / path).write_bytes(content)
    with pytest.raises(EkibenError, match="cannot be read") as caught:
        ekiben.open_box(box.model.tag)
    assert caught.value.where == str(folder / path) and "delete" in caught.value.remedy
    assert (folder / path).read_bytes() == content


def test_a_writing_that_was_broken_off_is_no_edit(
    box: ekiben.Box, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = project.render(replace(box.model, version="later"))
    write, written = project.paths.write_atomic, []

    def broken(path: Path, text: str) -> None:
        write(path, text)
        written.append(path)
        if len(written) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(project.paths, "write_atomic", broken)
    with pytest.raises(KeyboardInterrupt):
        project.write(later, folder)
    monkeypatch.undo()
    assert project.write(later, folder).findings == ()
    assert (folder / "service.py").read_text(encoding="utf-8") == later.files["service.py"]


def test_a_contract_edited_by_hand_is_set_aside_for_the_model_has_its_own(
    box: ekiben.Box, folder: Path
) -> None:
    file = folder / "contract.json"
    ours = file.read_text(encoding="utf-8")
    mine = ours.replace('"outside": "warn"', '"outside": "reject"')
    assert mine != ours
    opened = ekiben.open_box(box.model.tag)
    file.write_text(mine, encoding="utf-8")
    with pytest.raises(EkibenError, match="edited by hand"):
        opened.contract.field("age").range(0, 120)
    opened.prefer("native").prefer("compiled")
    assert file.read_text(encoding="utf-8") == mine
    found = ekiben.open_box(box.model.tag).project
    assert file.read_text(encoding="utf-8") == ours
    assert (folder / "contract.json.edited").read_text(encoding="utf-8") == mine
    assert told(found) == [("warning", "contract.json")] and "box.contract" in found.findings[0].remedy


@pytest.mark.slow
def test_a_box_serves_its_own_model_after_a_later_one_took_its_folder(tmp_path: Path) -> None:
    X = pandas.DataFrame({"age": numpy.arange(20, 60), "wide": numpy.linspace(0, 1, 40)})
    first, second = (LogisticRegression().fit(X, classes) for classes in ([0, 1] * 20, [5, 6] * 20))
    former = ekiben.wrap(first, X, name="shared", project_dir=tmp_path / "project")
    edit(tmp_path / "project" / "README.md")
    later = ekiben.wrap(second, X, name="shared", project_dir=tmp_path / "project")
    with former.serve() as server:
        assert set(server.predict(X).outputs["predictions"]) <= {0, 1}
    with later.serve() as server:
        assert set(server.predict(X).outputs["predictions"]) <= {5, 6}
    assert former.verify(image=False) and later.verify(image=False)
    assert later.project.folder == str(tmp_path / "project") and told(later.project) == [
        ("warning", "README.md")
    ]


def test_what_is_alike_comes_along_without_the_native_object(box: ekiben.Box, folder: Path) -> None:
    assert box.model.compiled.active
    recipe = edit(folder / "bentofile.yaml")
    edit(folder / "requirements.txt")
    lean = image_job.written(box.model, False)
    assert lean.files["bentofile.yaml"] == recipe
    assert MINE not in Path(lean.folder, "requirements.txt").read_text(encoding="utf-8")
    assert told(lean) == [("warning", "requirements.txt")]
    edit(Path(lean.folder) / "requirements.txt")
    assert image_job.written(box.model, False).files["requirements.txt"].endswith(MINE)
    for path in ("bentofile.yaml", "requirements.txt"):
        (folder / path).unlink()
    assert image_job.written(box.model, False).files["bentofile.yaml"] == lean.files[
        "bentofile.yaml"
    ].removesuffix(MINE)


def test_a_project_of_before_there_was_a_note_keeps_its_service(box: ekiben.Box, folder: Path) -> None:
    (folder / as_made.NOTE).unlink()
    mine = edit(folder / "service.py")
    assert told(project.write(project.render(box.model), folder)) == [("info", "service.py")]
    assert (folder / "service.py").read_text(encoding="utf-8") == mine
