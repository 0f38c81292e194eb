"""What the JupyterLab button sees, in this process and in a real kernel."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ekiben import words
from ekiben.records import ModelVariable, Snapshot
from ekiben.snapshot import look, snapshot
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager
from rig.boxes import kept
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

LOOK = "__import__('ekiben.snapshot', fromlist=['look']).look(globals(), {language!r})"


@pytest.fixture(scope="module")
def iris() -> pd.DataFrame:
    return load_iris(as_frame=True).frame


@pytest.fixture(scope="module")
def fitted(iris: pd.DataFrame) -> LogisticRegression:
    return LogisticRegression(max_iter=500).fit(iris.iloc[:, :4], iris["target"])


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    words.use("en")
    yield
    words.use(None)


def only(namespace: dict[str, Any]) -> ModelVariable:
    (found,) = snapshot(namespace).models
    return found


def names(found: ModelVariable) -> list[str]:
    return [sample.name for sample in found.samples]


def test_a_fitted_model_with_its_sample(iris: pd.DataFrame, fitted: LogisticRegression) -> None:
    found = only({"X_train": iris.iloc[:, :4], "y_train": iris["target"], "clf": fitted})
    assert (found.name, found.type, found.framework) == ("clf", "LogisticRegression", "sklearn")
    assert found.fitted and not found.problem and not found.part_of
    assert [(s.name, s.type, s.rows, s.columns) for s in found.samples] == [("X_train", "DataFrame", 150, 4)]


def test_samples_come_in_order_of_fit(iris: pd.DataFrame, fitted: LogisticRegression) -> None:
    table = iris.iloc[:, :4]
    namespace = {
        "array": table.to_numpy(),
        "turned": table[table.columns[::-1]],
        "X_test": table[:30],
        "other": table[:40],
        "X_train": table[:120],
        "X": table.copy(),
        "strange": table.rename(columns=str.upper),
        "wide": iris,
        "y": iris["target"],
        "target": iris["target"].to_numpy(),
        "empty": table[:0],
        "clf": fitted,
    }
    assert names(only(namespace)) == ["X_train", "X", "X_test", "other", "turned", "array"]


def test_more_rows_go_first_among_equals(iris: pd.DataFrame, fitted: LogisticRegression) -> None:
    table = iris.iloc[:, :4]
    assert names(only({"few": table[:3], "many": table[:30], "clf": fitted})) == ["many", "few"]


def test_an_array_goes_first_where_the_model_was_fitted_on_one(iris: pd.DataFrame) -> None:
    table = iris.iloc[:, :4]
    clf = LogisticRegression(max_iter=500).fit(table.to_numpy(), iris["target"])
    assert names(only({"X_train": table, "X": table.to_numpy(), "clf": clf})) == ["X", "X_train"]


def test_one_object_under_two_names_is_listed_once(iris: pd.DataFrame, fitted: LogisticRegression) -> None:
    table = iris.iloc[:, :4]
    found = only({"clf": fitted, "model": fitted, "data": table, "X_train": table})
    assert found.name == "clf" and names(found) == ["X_train"]


def test_what_people_do_not_name_is_left_out(iris: pd.DataFrame, fitted: LogisticRegression) -> None:
    hidden = {"_": fitted, "__": fitted, "_3": fitted, "_clf": fitted}
    assert snapshot({**hidden, "In": ["clf"], "Out": {3: fitted}}).models == ()
    found = only({"clf": fitted, "_X_train": iris.iloc[:, :4], "_5": iris.iloc[:, :4]})
    assert found.samples == ()


def test_texts_and_records_for_a_model_that_reads_them() -> None:
    texts, labels = ["a good day", "a bad day", "good"], ["yes it is", "no it is not", "yes"]
    clf = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts, labels)
    namespace = {"y": labels, "columns": ["text", "label"], "X_test": np.array(texts), "clf": clf}
    namespace |= {"X_train": pd.Series(texts), "records": [{"a": 1.0}], "numbers": [1, 2, 3]}
    found = only(namespace)
    assert names(found) == ["X_train", "X_test", "records"]
    assert (found.samples[0].type, found.samples[0].rows, found.samples[0].columns) == ("Series", 3, 1)


def test_tables_that_wrap_would_refuse_are_no_samples(fitted: LogisticRegression) -> None:
    assert names(only({"words": np.array([["a", "b", "c", "d"]]), "clf": fitted})) == []


def test_the_parts_of_a_model(iris: pd.DataFrame) -> None:
    table = iris.iloc[:, :4]
    scaler, forest = StandardScaler(), RandomForestClassifier(n_estimators=2)
    search = GridSearchCV(make_pipeline(scaler, forest), {"randomforestclassifier__max_depth": [1, 2]}, cv=2)
    search.fit(table, iris["target"])
    best = search.best_estimator_
    found = {
        m.name: m
        for m in snapshot(
            {"scaler": scaler, "best": best, "inner": best[-1], "search": search, "X": table}
        ).models
    }
    assert found["best"].part_of == "search"
    assert found["inner"].part_of in {"search", "best"}
    assert found["search"].part_of == "" and names(found["search"]) == ["X"]


def test_a_model_that_is_wrapped_names_its_box(iris: pd.DataFrame, fitted: LogisticRegression) -> None:
    table = iris.iloc[:, :4]
    twin = LogisticRegression(max_iter=1000).fit(table, iris["target"])
    namespace = {"clf": fitted, "twin": twin, "X": table}
    namespace["box"] = kept(fitted, table, "wrapped")
    assert {model.name: model.box for model in snapshot(namespace).models} == {"clf": "box", "twin": ""}


def test_problems_come_with_a_remedy(iris: pd.DataFrame, fitted: LogisticRegression) -> None:
    table = iris.iloc[:, :4]
    unfitted = only({"clf": LogisticRegression(), "X": table})
    assert (unfitted.fitted, unfitted.problem, unfitted.remedy) == (
        False,
        "it is not fitted",
        "call fit first",
    )
    lonely = only({"clf": fitted, "y": iris["target"], "wide": iris})
    assert lonely.problem == "no variable here has the 4 columns it was fitted with"
    assert "X_train" in lonely.remedy
    scaler = only({"scaler": StandardScaler().fit(table), "X": table})
    assert "no predict" in scaler.problem and scaler.remedy


def test_chinese_and_the_kernel_speaks_it_from_then_on(fitted: LogisticRegression) -> None:
    found = Snapshot.from_json(look({"clf": LogisticRegression()}, "zh-CN").snapshot.to_json()).models[0]
    assert words.language() == "zh_CN"
    assert found.problem and found.problem != "it is not fitted"


class Trap:
    """An object that fails when anything of it is touched."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"touched {name}")


class Hollow(BaseEstimator):  # type: ignore[misc]
    """An estimator whose description fails."""

    def __sklearn_is_fitted__(self) -> bool:
        raise RuntimeError("half made")

    def fit(self, X: Any, y: Any = None) -> Hollow:
        return self

    def predict(self, X: Any) -> Any:
        return X


def test_other_peoples_objects_are_not_touched(iris: pd.DataFrame, fitted: LogisticRegression) -> None:
    found = {m.name: m for m in snapshot({"trap": Trap(), "hollow": Hollow(), "clf": fitted}).models}
    assert set(found) == {"hollow", "clf"}
    assert "half made" in found["hollow"].problem


def test_it_is_quick(iris: pd.DataFrame, fitted: LogisticRegression) -> None:
    table = iris.iloc[:, :4]
    namespace: dict[str, Any] = {f"x{k}": k for k in range(1000)}
    namespace |= {f"frame{k}": table[: k + 1] for k in range(50)} | {
        f"array{k}": np.ones((9, 4)) for k in range(50)
    }
    namespace |= {"clf": fitted, "pipe": make_pipeline(StandardScaler(), fitted).fit(table, iris["target"])}
    took = []
    for _turn in range(20):
        before = time.thread_time()
        look(namespace, "en")._repr_mimebundle_()
        took.append(time.thread_time() - before)
    assert min(took) < 0.05, "the least of some turns, of its own work: the machine may be busy"


def test_looking_imports_no_library() -> None:
    code = (
        "import sys; from ekiben.snapshot import look; look({'a': 1, 'b': [2]}, 'en');"
        "heavy = {'numpy', 'pandas', 'sklearn', 'bentoml', 'IPython', 'tornado'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BlockingKernelClient]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path_factory.mktemp("kernel")))
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=300)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


SETUP = """
import time
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X_train, y_train = load_iris(return_X_y=True, as_frame=True)
clf = LogisticRegression(max_iter=500).fit(X_train, y_train)
"""


def run(client: BlockingKernelClient, code: str, **options: Any) -> dict[str, Any]:
    reply = client.execute_interactive(code, timeout=300, output_hook=lambda message: None, **options)
    assert reply["content"]["status"] == "ok", reply["content"]
    content: dict[str, Any] = reply["content"]
    return content


def test_a_real_kernel_answers_with_json(kernel: BlockingKernelClient) -> None:
    run(kernel, SETUP)
    before = run(kernel, "")["execution_count"]
    content = run(
        kernel,
        "",
        silent=True,
        store_history=False,
        user_expressions={"v": LOOK.format(language="en")},
    )
    answer = content["user_expressions"]["v"]
    assert answer["status"] == "ok", answer
    seen = Snapshot.from_json(answer["data"]["application/json"])
    assert [(m.name, names(m)) for m in seen.models] == [("clf", ["X_train"])]
    assert run(kernel, "")["execution_count"] <= before + 1


def test_functions_are_models_where_their_name_says_so(kernel: BlockingKernelClient) -> None:
    run(kernel, SETUP + "\ndef predict_kind(rows): return [0] * len(rows)\ndef helper(rows): return rows")
    content = run(kernel, "", silent=True, user_expressions={"v": LOOK.format(language="en")})
    seen = Snapshot.from_json(content["user_expressions"]["v"]["data"]["application/json"])
    assert {m.name: names(m) for m in seen.models} == {"clf": ["X_train"], "predict_kind": ["X_train"]}
    run(kernel, "del predict_kind, helper")


def test_a_real_kernel_answers_while_a_cell_runs(kernel: BlockingKernelClient, tmp_path: Path) -> None:
    run(kernel, SETUP)
    request = kernel.session.msg("create_subshell_request")
    kernel.control_channel.send(request)
    subshell = kernel.control_channel.get_msg(timeout=120)["content"]["subshell_id"]
    over = tmp_path / "over"
    busy = kernel.execute(f"import os\nwhile not os.path.exists({str(over)!r}): time.sleep(0.05)")
    message = kernel.session.msg(
        "execute_request",
        {
            "code": "",
            "silent": True,
            "store_history": False,
            "user_expressions": {"v": LOOK.format(language="en")},
            "allow_stdin": False,
            "stop_on_error": False,
        },
    )
    message["header"]["subshell_id"] = subshell
    kernel.shell_channel.send(message)
    reply = kernel.shell_channel.get_msg(timeout=120)
    assert reply["parent_header"]["msg_id"] == message["header"]["msg_id"], "the cell was answered first"
    assert reply["content"]["user_expressions"]["v"]["data"]["application/json"]["models"][0]["name"] == "clf"
    over.touch()
    assert kernel.shell_channel.get_msg(timeout=120)["parent_header"]["msg_id"] == busy
