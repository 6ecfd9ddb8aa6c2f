"""A detector that says what a test wants it to say."""

from app.detect.detector import InputSpec, Result, Timed
from app.errors import DetectorError
from app.types import Detection


class ScriptedDetector(Timed):
    """Answers every picture with the same detections, or fails; remembers what it was shown."""

    def __init__(self, *detections: Detection, runtime="scripted", is_golden=False, picture_score=None):
        self.runtime = runtime
        self.spec = InputSpec(32, 24, 1, is_golden)
        self.detections = detections
        self.picture_score = picture_score
        self.is_failing = False
        self.infer_ns = 2
        self.seen = []
        self.closings = 0

    def detect(self, image, golden=None):
        self.seen.append((image, golden))
        if self.is_failing:
            raise DetectorError(f"{self.runtime} is lost", "restart it")
        return Result(self.detections, picture_score=self.picture_score, pre_ns=1, infer_ns=self.infer_ns, decode_ns=3)

    def close(self):
        self.closings += 1
