"""`takt process accelerator` with one fault that is real: a kernel that writes where nothing is, when a file says so.

`python -m tests.gpu.faulty_accelerator STRIKE WORDS...` runs `takt WORDS...`. Before the next inference after the file
STRIKE has come to be, the kernel is launched on the engine's own stream, and the file is removed: the process that is
started after this one is sound.
"""

import importlib
import sys
from pathlib import Path

PTX = b"""
.version 6.4
.target sm_75
.address_size 64

.visible .entry stray()
{
    .reg .u64 %at;
    .reg .u32 %value;
    mov.u64 %at, 16;
    mov.u32 %value, 1;
    st.global.u32 [%at], %value;
    ret;
}
\0"""
"""Written for the oldest GPU that TensorRT runs on; the driver compiles it for the one that is there."""


def armed(strike):
    """Lets every engine of TensorRT look for the file before it infers; the kernel is compiled when it is made."""
    engine = importlib.import_module("app.detect.tensorrt_engine").TensorRtEngine
    driver = importlib.import_module("pycuda.driver")
    make, infer = engine.__init__, engine.infer

    def made(self, *args, **options):
        make(self, *args, **options)
        with self._cuda.current():
            self.stray_module = driver.module_from_buffer(PTX)
            self.stray = self.stray_module.get_function("stray")

    def struck(self):
        if strike.exists():
            strike.unlink()
            with self._cuda.current():
                self.stray(grid=(1, 1), block=(1, 1, 1), stream=self._cuda._stream)
        infer(self)

    engine.__init__, engine.infer = made, struck


if __name__ == "__main__":
    armed(Path(sys.argv[1]))
    sys.argv = ["takt", *sys.argv[2:]]
    from app.cli import main

    main()
