"""How each detector of the contract is opened."""

from contextlib import contextmanager

from app.clock import SystemClock
from app.detect.failover import Failover
from app.detect.onnx_bound import Way
from app.detect.onnx_gpu import open_way
from app.detect.runtimes import open_detector

ON_CPU = Way("onnx-bound", ("CPUExecutionProvider",), "cpu", ())
"""What `onnx-tensorrt` and `onnx-cuda` do, with the processor for a device."""


def open_failover(package, clock=None):
    return Failover(open_detector(package, "onnx", 1, clock), open_detector(package, "openvino", 1, clock))


OPENERS = {
    "onnx": lambda package, clock=None: open_detector(package, "onnx", 1, clock),
    "openvino": lambda package, clock=None: open_detector(package, "openvino", 1, clock),
    "onnx-bound": lambda package, clock=None: open_way(package, ON_CPU, {}, clock or SystemClock()),
    "failover": open_failover,
}


@contextmanager
def opening(name):
    """Gives what opens a package on one runtime; closes all that it opened at the end."""
    detectors = []

    def opener(package, clock=None):
        detectors.append(OPENERS[name](package, clock))
        return detectors[-1]

    yield opener
    for detector in detectors:
        detector.close()
