"""What people read of records, in a notebook and on a terminal."""

from __future__ import annotations

import io
import os
import sys

import pytest
from ekiben import status
from ekiben.listings import width_of
from ekiben.records import Prediction
from ekiben.views import prediction_html


@pytest.mark.parametrize(
    ("shares", "shown"),
    [([[0.25, 0.75]], "0.750"), ([[None, 0.5]], "–"), ([[[0.1, 0.9], [0.2, 0.8]]], "0.100, 0.900")],
)
def test_a_prediction_shows_whatever_shares_there_are(shares, shown):
    outputs = {"predictions": ["<b>"], "classes": ["no", "yes"], "probabilities": shares}
    told = prediction_html(Prediction(outputs, 1.0))
    assert shown in told and "&lt;b&gt;" in told


class Terminal(io.StringIO):
    """A terminal of one line: what was written over is gone, what was not written over stays."""

    def isatty(self) -> bool:
        return True

    def line(self) -> str:
        places: list[str] = []
        at = 0
        for letter in self.getvalue():
            if letter == "\r":
                at = 0
                continue
            for sign in (letter, "")[: width_of(letter)]:
                places[at : at + 1] = [sign]
                at += 1
        return "".join(places).rstrip()


def test_progress_on_a_terminal_is_one_line_and_gone_at_the_end_in_chinese_too(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(status.shutil, "get_terminal_size", lambda: os.terminal_size((40, 24)))
    with status.Status() as told:
        told.say("正在捕获模型并重放全部黄金示例")
        assert terminal.line() == "正在捕获模型并重放全部黄金示例"
        told.say("完成")
        assert terminal.line() == "完成"
        told.say("many words " * 20)
        assert width_of(terminal.line()) < 40
    assert terminal.line() == ""
