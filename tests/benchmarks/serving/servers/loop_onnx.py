"""The compiled model in a loop, without HTTP: ``loop_onnx.py ROWS SECONDS``."""

import json
import sys

import expert_app
import native
from looping import batches, loop

rows = json.loads((native.FOLDER / "rows.json").read_text(encoding="utf-8"))
fed = [expert_app.feed(batch) for batch in batches(rows, int(sys.argv[1]))]
loop(lambda batch: expert_app.session.run(None, batch), fed, float(sys.argv[2]))
