"""``python -m ekiben``: the command line."""

from ekiben.cli import main

raise SystemExit(main())
