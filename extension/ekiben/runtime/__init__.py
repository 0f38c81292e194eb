"""What runs inside the service: copied beside ``service.py``, free of ekiben itself.

It needs the standard library, numpy, what the model needs, and BentoML's server for the service.
"""

from .contract import Row
from .gate import Gate
from .predictor import Predictor
from .problems import InvalidRows

__all__ = ["Gate", "InvalidRows", "Predictor", "Row"]
