"""ONNX Runtime on a GPU: what keeps it from using the CPU in silence, on the real library and on made-up sessions."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from app.clock import SystemClock
from app.detect import onnx_gpu
from app.detect.gpu_probe import GpuFacts
from app.detect.onnx_bound import NO_CPU, Way
from app.detect.onnx_gpu import BY_CUDA, BY_TENSORRT, open_way, tensorrt_options
from app.detect.prepare import Preparation
from app.detect.runtimes import ON_GPU, accelerators, is_installed, open_detector, open_local
from app.errors import ConfigError, DetectorError, MissingDriverError, PackageError
from tests.unit.detect.tiny_model import blank, tiny_package, with_spot
from tests.unit.detect.two_models import write_two_models

ON_CPU = Way("bound", ("CPUExecutionProvider",), "cpu", ())
"""The same engine, whose device is the processor."""

FACTS = GpuFacts("Fake Orin", "8.7", 8_000_000_000, True, 12060, free_bytes=1_000_000_000, tensorrt="10.3.0")


@pytest.fixture
def package(tmp_path):
    return tiny_package(tmp_path / "tiny")


class FakeSession:
    """A session that says it runs where it is told to."""

    def __init__(self, providers, parts=None):
        self._providers, self._parts = providers, parts
        if parts is not None:
            self.get_provider_graph_assignment_info = lambda: parts

    def get_providers(self):
        return self._providers


def part(provider, *nodes):
    named = [SimpleNamespace(name=name, op_type=kind) for name, kind in nodes]
    return SimpleNamespace(ep_name=provider, get_nodes=lambda: named)


@pytest.fixture
def library(monkeypatch):
    """ONNX Runtime as if built with every provider; what sessions it gives and what they were asked for."""
    asked = SimpleNamespace(session=None, error=None, calls=[], preloaded="")

    def session(_content, settings, providers, enable_fallback):
        asked.calls.append((settings, providers, enable_fallback))
        if asked.error:
            raise asked.error.pop(0)
        return asked.session

    monkeypatch.setattr(onnx_gpu.ort, "get_available_providers", lambda: [*BY_TENSORRT.providers])
    monkeypatch.setattr(onnx_gpu.ort, "InferenceSession", session)
    monkeypatch.setattr(onnx_gpu.ort, "preload_dlls", lambda: sys.stdout.write(asked.preloaded), raising=False)
    monkeypatch.setattr(onnx_gpu, "probe_gpu", lambda *, is_driver_only: FACTS)
    asked.found = lambda probe: monkeypatch.setattr(onnx_gpu, "probe_gpu", probe)
    return asked


@pytest.fixture
def cpu_build(monkeypatch):
    """ONNX Runtime as its plain distribution has it, whichever is installed."""
    monkeypatch.setattr(onnx_gpu.ort, "get_available_providers", lambda: ["CPUExecutionProvider"])


def opened(package, way=ON_CPU):
    return open_way(package, way, {}, SystemClock())


@pytest.mark.parametrize("runtime", ["onnx-tensorrt", "onnx-cuda"])
def test_library_built_without_the_provider_is_named_with_the_right_way_to_install_it(cpu_build, package, runtime):
    words = r"needs onnxruntime-gpu, .*; run: pip uninstall onnxruntime, then: pip install onnxruntime-gpu"
    with pytest.raises(MissingDriverError, match=words):
        open_detector(package, runtime)
    assert not is_installed(runtime)


def test_provider_that_takes_no_node_is_refused_by_the_real_library(package):
    # The GPU's distribution lacks this provider, and says so before.
    words = r"AzureExecutionProvider (does not take \d+ nodes|cannot load)|the detector runtime azure needs"
    with pytest.raises((DetectorError, MissingDriverError), match=words) as raised:
        opened(package, Way("azure", ("AzureExecutionProvider",), "cpu", NO_CPU))
    assert "\n" not in str(raised.value)


def test_file_that_is_no_model_is_refused(tmp_path):
    with pytest.raises(PackageError, match="is no model that ONNX Runtime"):
        opened(tiny_package(tmp_path / "junk", b"this is no model"))


def test_inputs_of_every_frame_reach_the_device(package):
    detector = opened(package)
    found = [detector.detect(with_spot(x, 4), blank()).detections[0].label for x in (4, 28, 4)]
    assert found == ["left", "right", "left"]


def test_memory_that_somebody_else_fills_is_read_anew_for_each_frame(package):
    memory = np.zeros(2 * 4096, np.uint8)
    preparation = Preparation(package.spec, memory)
    detector = open_way(package, ON_CPU, {}, SystemClock(), preparation)
    before = detector.infer().by_name()["scores"].copy()
    preparation.image[0, 4, 4, 0] = 255
    after = detector.infer().by_name()["scores"]
    assert (before.max(), after.max()) == (0.0, 1.0)


def test_buffers_are_the_same_for_every_frame(package):
    detector = opened(package)
    first = {name: each.ctypes.data for name, each in detector.infer().by_name().items()}
    assert {name: each.ctypes.data for name, each in detector.infer().by_name().items()} == first


def test_cpu_in_the_place_of_the_provider_is_refused(library, package):
    library.session = FakeSession(["CPUExecutionProvider"])
    with pytest.raises(DetectorError, match="put CPUExecutionProvider in the place of CUDAExecutionProvider, which"):
        opened(package, BY_CUDA)


def test_single_node_on_the_cpu_is_refused_and_named(library, package):
    parts = [part("CUDAExecutionProvider", ("a", "Conv")), part("CPUExecutionProvider", ("image.fours", "Reshape"))]
    library.session = FakeSession(["CUDAExecutionProvider", "CPUExecutionProvider"], parts)
    with pytest.raises(DetectorError, match=r"does not take a node of the model, such as image\.fours \(Reshape\)"):
        opened(package, BY_CUDA)


def test_model_that_goes_to_cuda_as_a_whole_is_not_called_tensorrt(library, package):
    library.session = FakeSession([*BY_TENSORRT.providers], [part("CUDAExecutionProvider", ("a", "Conv"))])
    with pytest.raises(DetectorError, match="no node of the model is taken by TensorrtExecutionProvider, all by CUDA"):
        opened(package, BY_TENSORRT)


def test_refused_session_is_opened_once_more_only_to_name_what_the_cpu_would_run(library, package):
    refusal = RuntimeError("graph nodes are assigned to the default CPU EP, but fallback to CPU EP has been disabled")
    library.error = [refusal]
    library.session = FakeSession(["CUDAExecutionProvider"], [part("CPUExecutionProvider", ("top", "TopK"))])
    with pytest.raises(DetectorError, match=r"such as top \(TopK\), and the CPU would run it"):
        opened(package, BY_CUDA)
    entries = [each[0].get_session_config_entry("session.record_ep_graph_assignment_info") for each in library.calls]
    assert entries == ["1", "1"]


def test_every_session_is_asked_for_without_the_cpu_and_without_another_try(library, package):
    library.session = FakeSession(["CPUExecutionProvider"])
    with pytest.raises(DetectorError):
        opened(package, BY_CUDA)
    settings, providers, enable_fallback = library.calls[0]
    assert settings.get_session_config_entry("session.disable_cpu_ep_fallback") == "1"
    assert [name for name, _ in providers] == ["CUDAExecutionProvider"]
    assert enable_fallback == 0


def test_words_of_a_driver_are_passed_on_without_places_in_the_source(library, package):
    library.error = [RuntimeError("/src/core/cuda_call.cc:123 void Check(int, char) CUDA failure 2: out of memory")]
    with pytest.raises(DetectorError, match=r"cannot load .*model\.onnx: CUDA failure 2: out of memory; see what"):
        opened(package, BY_CUDA)


@pytest.mark.parametrize("runtime", ["onnx-tensorrt", "onnx-cuda"])
def test_float_stays_float_on_the_device(library, package, tmp_path, runtime):
    library.session = FakeSession(["CPUExecutionProvider"])
    with pytest.raises(DetectorError):
        open_detector(package, runtime)
    options = dict(library.calls[0][1])
    assert options["CUDAExecutionProvider"] == {"device_id": "0", "use_tf32": "0"}


@pytest.mark.parametrize(("variant", "fp16", "int8"), [("accelerator-fp32", "0", "0"), ("standby-int8", "0", "1")])
def test_precision_is_permitted_where_the_file_computes_in_it(tmp_path, variant, fp16, int8):
    from app.detect.package import load_package

    model = load_package(write_two_models(tmp_path / "pair"), variant=variant)
    options = tensorrt_options(model, None)
    assert (options["trt_fp16_enable"], options["trt_int8_enable"]) == (fp16, int8)
    assert "trt_engine_cache_path" not in options


def test_engines_are_kept_in_a_folder_of_this_gpu_this_tensorrt_and_this_model(library, package, tmp_path):
    library.session, notes = FakeSession(["CPUExecutionProvider"]), []
    paths = []
    for version in ("10.3.0", "10.9.0", "10.3.0"):
        library.found(lambda *, is_driver_only, version=version: facts(tensorrt=version))
        with pytest.raises(DetectorError):
            onnx_gpu.open_onnx_tensorrt(package, 1, SystemClock(), folder=tmp_path / "engines", on_note=notes.append)
        paths.append(library.calls[-1][1][0][1]["trt_engine_cache_path"])
    assert paths[0] == paths[2] != paths[1]
    assert all(path.startswith(str(tmp_path / "engines")) for path in paths)
    assert notes == []


def test_engines_are_not_kept_where_nobody_knows_which_tensorrt_it_is(library, package, tmp_path):
    library.session, notes = FakeSession(["CPUExecutionProvider"]), []
    library.found(lambda *, is_driver_only: facts(tensorrt=""))
    with pytest.raises(DetectorError):
        onnx_gpu.open_onnx_tensorrt(package, 1, SystemClock(), folder=tmp_path / "engines", on_note=notes.append)
    assert "trt_engine_cache_path" not in library.calls[-1][1][0][1]
    assert notes == ["which TensorRT this is cannot be told, so the engines of ONNX Runtime are not kept"]


def test_what_the_library_prints_of_missing_files_is_a_note_and_not_output(library, package, capsys):
    library.session, library.preloaded, notes = FakeSession([]), "Failed to load\nlibcublas", []
    with pytest.raises(DetectorError, match="put nothing in the place of"):
        onnx_gpu.open_onnx_cuda(package, 1, SystemClock(), on_note=notes.append)
    assert capsys.readouterr().out == ""
    assert notes == ["ONNX Runtime says of CUDA's libraries: Failed to load libcublas"]


def test_model_larger_than_what_is_free_is_refused_with_both_sizes_before_a_session_is_made(library, package):
    library.found(lambda *, is_driver_only: facts(free_bytes=10))
    with pytest.raises(DetectorError, match=r"model\.onnx has 0\.0 MB and Fake Orin 0\.0 MB free; use a smaller model"):
        open_detector(package, "onnx-cuda")
    assert library.calls == []


def test_machine_without_a_driver_is_told_so(library, package, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(onnx_gpu.ort, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(DetectorError, match=r"no NVIDIA driver|no CUDA-capable device|shows no GPU"):
        open_detector(package, "onnx-cuda")


def test_failure_while_it_runs_is_told_in_its_words(package):
    detector = opened(package)
    detector._engine._session = SimpleNamespace(run_with_iobinding=fail)
    with pytest.raises(DetectorError, match="ONNX Runtime failed on CPUExecutionProvider: CUDA error 700; restart the"):
        detector.infer()


def test_auto_is_tensorrt_and_those_that_the_library_was_built_with(library):
    assert accelerators("auto") == ON_GPU
    assert accelerators("onnx-cuda") == ("onnx-cuda",)


def test_auto_is_tensorrt_alone_where_it_was_built_without_them(cpu_build):
    assert accelerators("auto") == ("tensorrt",)


def test_runtime_that_looks_at_nothing_has_no_buffers(package):
    with pytest.raises(ConfigError, match="looks at nothing"):
        open_local(package, "blank", 1, SystemClock(), Preparation(package.spec))


def test_library_that_is_not_installed_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "app.detect.onnx_gpu", raising=False)
    monkeypatch.delitem(sys.modules, "app.detect.onnx_bound", raising=False)
    monkeypatch.delitem(sys.modules, "app.detect.onnx", raising=False)
    with pytest.raises(MissingDriverError, match="which is not installed or does not load here"):
        open_detector(package, "onnx-cuda")


def facts(**changes):
    return GpuFacts(**{**{name: getattr(FACTS, name) for name in GpuFacts.__slots__}, **changes})


def fail(_binding):
    raise RuntimeError("CUDA error 700\nand more")
