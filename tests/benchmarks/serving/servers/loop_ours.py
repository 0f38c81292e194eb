"""Our predictor in a loop, without HTTP, in the project's folder: ``loop_ours.py SAVED ROWS SECONDS MODEL``."""

import json
import sys
from pathlib import Path

from looping import batches, loop

sys.path.insert(0, str(Path.cwd()))
from runtime.predictor import Predictor

saved, size, seconds, model = sys.argv[1:]
predictor = Predictor.at(saved)
rows, _warnings = predictor.check(json.loads((Path(model) / "rows.json").read_text(encoding="utf-8")))
loop(predictor.run, batches(rows, int(size)), float(seconds))
