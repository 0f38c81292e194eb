"""What a call of the model costs, learned while it works: a price a call and a price a row."""

from __future__ import annotations

#: How fast older calls are forgotten: the weight of one new call.
WEIGHT = 0.05
#: A batch pays when a call's own price is at least this part of a one-row call.
WORTH = 0.2


class Cost:
    """Seconds of a call with n rows as ``call + row * n``: least squares with exponential forgetting."""

    __slots__ = ("n", "nn", "seen", "t", "tn")

    def __init__(self) -> None:
        self.n = self.nn = self.t = self.tn = 0.0
        self.seen = 0

    def learn(self, rows: int, seconds: float) -> None:
        """One call of ``rows`` rows took ``seconds``."""
        if self.seen == 0:
            self.n, self.nn, self.t, self.tn = rows, rows * rows, seconds, rows * seconds
        else:
            # One outlier (a page fault, another process) must not turn the line over.
            seconds = min(seconds, 10 * self.expected(rows))
            keep = 1 - WEIGHT
            self.n = keep * self.n + WEIGHT * rows
            self.nn = keep * self.nn + WEIGHT * rows * rows
            self.t = keep * self.t + WEIGHT * seconds
            self.tn = keep * self.tn + WEIGHT * rows * seconds
        self.seen += 1

    def line(self) -> tuple[float, float]:
        """``(seconds a call, seconds a row)``, neither negative."""
        spread = self.nn - self.n * self.n
        if spread <= 1e-9 * max(self.nn, 1.0):
            # All calls had one size: the whole price is the call's, so that batching is tried.
            return self.t, 0.0
        row = max(0.0, (self.tn - self.n * self.t) / spread)
        return max(0.0, self.t - row * self.n), row

    def expected(self, rows: int) -> float:
        """Seconds that a call with ``rows`` rows should take; 0 before anything was learned."""
        call, row = self.line()
        return call + row * rows

    def pays(self) -> bool:
        """Whether several requests in one call are quicker than one call each."""
        call, row = self.line()
        return call >= WORTH * (call + row)
