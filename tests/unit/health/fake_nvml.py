"""The module `pynvml` as far as it is called, with a GPU that a test can break."""

from types import SimpleNamespace

MIB = 1 << 20
NOT_SUPPORTED, GPU_IS_LOST, LIBRARY_NOT_FOUND = 3, 15, 12
TEXTS = {NOT_SUPPORTED: "Not Supported", GPU_IS_LOST: "GPU is lost", LIBRARY_NOT_FOUND: "NVML Shared Library Not Found"}


class NVMLError(Exception):
    """As the library raises it: with its code in `value`."""

    def __init__(self, value):
        super().__init__(TEXTS[value])
        self.value = value


class FakeNvml:
    """A GPU with everything that NVML can tell."""

    def __init__(self, **broken):
        self.broken = broken
        self.inits = self.shutdowns = 0
        self.reasons = 0x1
        self.count = 1

    def _answer(self, name, value):
        if name in self.broken:
            raise NVMLError(self.broken[name])
        return value

    def nvmlInit(self):  # noqa: N802 - the library's names
        self._answer("init", None)
        self.inits += 1

    def nvmlShutdown(self):  # noqa: N802
        self.shutdowns += 1

    def nvmlDeviceGetCount(self):  # noqa: N802
        return self._answer("count", self.count)

    def nvmlDeviceGetHandleByIndex(self, index):  # noqa: N802
        return self._answer("handle", SimpleNamespace(index=index))

    def nvmlDeviceGetName(self, handle):  # noqa: N802
        return self._answer("name", "NVIDIA RTX A2000")

    def nvmlDeviceGetTemperature(self, handle, sensor):  # noqa: N802
        assert sensor == 0
        return self._answer("temperature", 61)

    def nvmlDeviceGetClockInfo(self, handle, kind):  # noqa: N802
        assert kind == 1
        return self._answer("clock", 1200)

    def nvmlDeviceGetMaxClockInfo(self, handle, kind):  # noqa: N802
        assert kind == 1
        return self._answer("max_clock", 2100)

    def nvmlDeviceGetPowerUsage(self, handle):  # noqa: N802
        return self._answer("power", 34_500)

    def nvmlDeviceGetMemoryInfo(self, handle):  # noqa: N802
        return self._answer("memory", SimpleNamespace(used=700 * MIB, total=6_138 * MIB, free=5_438 * MIB))

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle):  # noqa: N802
        return self._answer("reasons", self.reasons)

    def nvmlSystemGetDriverVersion(self):  # noqa: N802
        return self._answer("driver", "580.95.05")

    def nvmlSystemGetCudaDriverVersion_v2(self):  # noqa: N802
        return self._answer("cuda", 12_060)

    def nvmlSystemGetNVMLVersion(self):  # noqa: N802
        return self._answer("version", "13.580.95.05")


GPU_FACTS = ("name", "temperature", "clock", "max_clock", "power", "memory", "reasons")
