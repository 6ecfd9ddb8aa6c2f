"""A TensorRT whose engines are ONNX Runtime on the memory of a fake GPU; names as in its Python API."""

import enum
from types import ModuleType, SimpleNamespace

import numpy as np
import onnx
import onnxruntime

from app.detect.onnx import PROVIDER

PLAN = b"fake plan\n"
TIMINGS = b"fake timings"


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO = range(4)


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class IProgressMonitor:
    pass


class FakeTensorRt:
    """Makes the module `tensorrt`, and says what is asked of it.

    Args:
        driver: The GPU.
        without: Names that this version does not have, such as `IProgressMonitor`.
        dla_cores: How many it has.
        is_rtx: It is TensorRT-RTX, which keeps no timings and can be asked whether a graph can be recorded.
    """

    def __init__(self, driver, without=(), dla_cores=0, *, is_rtx=False):
        self.driver, self.dla_cores, self.is_rtx = driver, dla_cores, is_rtx
        self.is_capturable = True
        self.configs, self.networks, self.builds, self.logger = [], [], 0, None
        self.refuses_plans = False
        self.fails_with = ""
        self.activation_bytes = 1000
        self.module = ModuleType("tensorrt")
        flags = SimpleNamespace(TF32="tf32", GPU_FALLBACK="gpu_fallback")
        if is_rtx:
            flags.REQUIRE_USER_ALLOCATION = "require_user_allocation"
        everything = {
            "__version__": "10.3.0",
            "ILogger": ILogger,
            "IProgressMonitor": IProgressMonitor,
            "NetworkDefinitionCreationFlag": NetworkDefinitionCreationFlag,
            "BuilderFlag": flags,
            "MemoryPoolType": SimpleNamespace(WORKSPACE="workspace"),
            "DeviceType": SimpleNamespace(DLA="dla"),
            "TensorIOMode": SimpleNamespace(INPUT="in", OUTPUT="out"),
            "nptype": lambda kind: np.dtype(kind).type,
            "Builder": lambda logger: FakeBuilder(self, logger),
            "OnnxParser": lambda network, logger: FakeParser(network),
            "Runtime": lambda logger: FakeRuntime(self, logger),
        }
        for name, value in everything.items():
            if name not in without:
                setattr(self.module, name, value)


def _tensor(value):
    kind = value.type.tensor_type
    shape = [each.dim_value if each.HasField("dim_value") else -1 for each in kind.shape.dim]
    return SimpleNamespace(name=value.name, dtype=onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type), shape=shape)


class FakeParser:
    num_errors = 0

    def __init__(self, network):
        self._network = network

    def parse(self, content):
        self._network.take(content)
        return True


class FakeNetwork:
    def __init__(self, flags):
        self.flags = flags

    def take(self, content):
        graph = onnx.load_from_string(content).graph
        self.content = content
        self.inputs, self.outputs = [_tensor(each) for each in graph.input], [_tensor(each) for each in graph.output]
        self.num_inputs, self.num_outputs = len(self.inputs), len(self.outputs)

    def get_input(self, number):
        return self.inputs[number]

    def get_output(self, number):
        return self.outputs[number]


class FakeConfig:
    def __init__(self):
        self.workspace, self.flags, self.cleared, self.timings = 0, [], [], None
        self.default_device_type = self.DLA_core = self.progress_monitor = None

    def set_memory_pool_limit(self, pool, size):
        self.workspace = size

    def set_flag(self, flag):
        self.flags.append(flag)

    def clear_flag(self, flag):
        self.cleared.append(flag)

    def create_timing_cache(self, content):
        return SimpleNamespace(content=content, serialize=lambda: content + TIMINGS)

    def set_timing_cache(self, cache, ignore_mismatch):
        assert not ignore_mismatch
        if cache.content.startswith(b"of another GPU"):
            return False
        self.timings = cache.content
        return True


class FakeBuilder:
    def __init__(self, library, logger):
        self._library = library
        self.num_DLA_cores = library.dla_cores

    def create_network(self, flags):
        self._library.networks.append(FakeNetwork(flags))
        return self._library.networks[-1]

    def create_builder_config(self):
        self._library.configs.append(FakeConfig())
        return self._library.configs[-1]

    def build_serialized_network(self, network, config):
        self._library.builds += 1
        monitor = config.progress_monitor
        if monitor is not None:
            monitor.phase_start("Building", None, 2)
            for step in range(2):
                if not monitor.step_complete("Building", step):
                    return None
            monitor.phase_finish("Building")
        return PLAN + network.content


class FakeRuntime:
    def __init__(self, library, logger):
        self._library, self._logger = library, logger
        self.DLA_core = None

    def deserialize_cuda_engine(self, plan):
        if self._library.refuses_plans or not plan.startswith(PLAN):
            self._library.refuses_plans = False  # the next one is taken
            self._logger.log(ILogger.ERROR, "the plan is of another version")
            return None
        return FakeEngine(self._library, self._logger, plan.removeprefix(PLAN))


class FakeEngine:
    def __init__(self, library, logger, content):
        self._library, self._logger = library, logger
        graph = onnx.load_from_string(content).graph
        self._tensors = {each.name: (_tensor(each), "in") for each in graph.input}
        self._tensors |= {each.name: (_tensor(each), "out") for each in graph.output}
        self._session = onnxruntime.InferenceSession(content, providers=[PROVIDER])
        self.num_io_tensors = len(self._tensors)
        self.device_memory_size_v2 = library.activation_bytes

    def get_tensor_name(self, number):
        return list(self._tensors)[number]

    def get_tensor_dtype(self, name):
        return self._tensors[name][0].dtype

    def get_tensor_shape(self, name):
        return self._tensors[name][0].shape

    def get_tensor_mode(self, name):
        return self._tensors[name][1]

    def create_execution_context(self):
        assert self._library.driver.depth, "the GPU's context is not current"
        return FakeExecution(self._library, self._logger, self._session, self._tensors)


class FakeExecution:
    def __init__(self, library, logger, session, tensors):
        self._library, self._logger, self._session, self._tensors = library, logger, session, tensors
        self._addresses = {}
        if library.is_rtx:
            self.is_stream_capturable = lambda stream: library.is_capturable

    def set_tensor_address(self, name, address):
        assert isinstance(address, int)
        self._addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        self._library.driver.within("execute", stream)
        if self._library.fails_with:
            self._logger.log(ILogger.ERROR, self._library.fails_with)
            return False
        self._library.driver.submit(self._infer)
        return True

    def _infer(self):
        memory = self._library.driver.memory
        names = [name for name, (_, mode) in self._tensors.items() if mode == "in"]
        feed = {name: self._read(name, memory[self._addresses[name]]) for name in names}
        outputs = [each.name for each in self._session.get_outputs()]
        for name, value in zip(outputs, self._session.run(outputs, feed), strict=True):
            memory[self._addresses[name]][:] = np.ascontiguousarray(value).reshape(-1).view(np.uint8)

    def _read(self, name, view):
        tensor = self._tensors[name][0]
        return view.view(tensor.dtype).reshape(tensor.shape)
