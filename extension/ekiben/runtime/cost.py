"""What a call of the model costs, learned while it works: a price a call and a price a row."""

from __future__ import annotations

#: How fast older calls are forgotten: the weight of one new call.
WEIGHT = 0.05
#: A batch pays when a call's own price is at least this part of a one-row call.
WORTH = 0.2


class Cost:
    """Seconds of a call with n rows as ``call + row * n``: least squares with exponential forgetting.

    ``call`` and ``row`` are never negative, and are told anew after each call, for they are asked more often.
    """

    __slots__ = ("call", "n", "nn", "row", "seen", "t", "tn")

    def __init__(self) -> None:
        self.call = self.row = 0.0
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
        spread = self.nn - self.n * self.n
        if spread <= 1e-9 * max(self.nn, 1.0):
            # All calls had one size: the whole price is the call's, so that batching is tried.
            self.call, self.row = self.t, 0.0
        else:
            self.row = max(0.0, (self.tn - self.n * self.t) / spread)
            self.call = max(0.0, self.t - self.row * self.n)

    def expected(self, rows: int) -> float:
        """Seconds that a call with ``rows`` rows should take; 0 before anything was learned."""
        return self.call + self.row * rows

    def pays(self) -> bool:
        """Whether several requests in one call are quicker than one call each."""
        return self.call >= WORTH * (self.call + self.row)
