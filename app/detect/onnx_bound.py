"""ONNX Runtime with its inputs on another device than the processor, and never on the processor in silence.

It puts the processor in a provider's place in three ways, each of which is an error here: for a provider that it was
not built with, for one that does not load (a session comes all the same), and for single nodes that a provider does not
take. The first is looked up; the second and third are refused by `session.disable_cpu_ep_fallback`; what the session
says afterwards is checked again, node by node where this version tells (1.24 and later).

An input that is bound as memory of the processor is copied to the device when it is bound and never again
(microsoft/onnxruntime issue 5857): a second frame would be judged by the first one's pixels. So inputs lie on the
device, are made once, and are filled in place for each frame; outputs are bound to memory of the machine, which the run
fills.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.detect.onnx import LOG_FATAL, REFUSALS, first_line, ports_of
from app.detect.package import Package
from app.detect.ports import check_ports
from app.detect.prepare import Preparation
from app.errors import DetectorError, MissingDriverError, PackageError

try:
    import onnxruntime as ort
except (ImportError, OSError) as error:
    raise MissingDriverError("the detector runtimes onnx-tensorrt and onnx-cuda", "onnxruntime-gpu", "") from error

NO_CPU = (("session.disable_cpu_ep_fallback", "1"),)
_TELL_NODES = ("session.record_ep_graph_assignment_info", "1")
_INSTALL = (
    "run: pip uninstall onnxruntime, then: pip install onnxruntime-gpu (never both, docs/adr/0003); on a Jetson use the"
    " runtime tensorrt"
)
_MEND = "see what `takt doctor` says of ONNX Runtime and the GPU, or use the runtime tensorrt, openvino or onnx"


@dataclass(frozen=True, slots=True)
class Way:
    """A way of ONNX Runtime to a device.

    Attributes:
        runtime: What it is called.
        providers: The first is the one that counts; the others may take nodes that it does not.
        device: Where inputs lie, as ONNX Runtime names it.
        entries: Settings of the session.
    """

    runtime: str
    providers: tuple[str, ...]
    device: str = "cuda"
    entries: tuple[tuple[str, str], ...] = NO_CPU


Options = Mapping[str, Mapping[str, str]]
"""Provider -> its options."""


class BoundEngine:
    """A session with inputs on its device and outputs in memory of the machine, all made once.

    Args:
        package: The package.
        way: On which providers.
        options: Their options.
        preparation: The input buffers, copied to the device for each frame.

    Raises:
        MissingDriverError: This ONNX Runtime was built without the provider.
        DetectorError: The provider does not load, or does not take the model.
        PackageError: ONNX Runtime refuses the file, or its tensors are not what the layout says.
    """

    def __init__(self, package: Package, way: Way, options: Options, preparation: Preparation) -> None:
        self._way = way
        self._session = _open_session(package, way, options)
        self.outputs = check_ports(package, ports_of(self._session.get_inputs()), ports_of(self._session.get_outputs()))
        self._binding = self._session.io_binding()
        pictures = {"image": preparation.image, "golden": preparation.golden}
        self._filled = []
        for name, picture in pictures.items():
            if picture is not None:
                value = _on_device(way, picture.shape, picture.dtype)
                self._binding.bind_ortvalue_input(name, value)
                self._filled.append((value, picture))
        for name, output in self.outputs.by_name().items():
            self._binding.bind_output(name, "cpu", 0, output.dtype, output.shape, output.ctypes.data)

    def infer(self) -> None:
        """Copies the pictures to the device, runs the session, and waits until the outputs are there."""
        try:
            for value, picture in self._filled:
                value.update_inplace(picture)
            self._session.run_with_iobinding(self._binding)
        except REFUSALS as error:
            raise DetectorError(
                f"ONNX Runtime failed on {self._way.providers[0]}: {first_line(error)}",
                "restart the process that owns the GPU, and look for NVRM or Xid in `dmesg` if it fails again",
            ) from error


def check_way(way: Way) -> None:
    """Refuses a way that the ONNX Runtime which is installed was built without.

    Raises:
        MissingDriverError: It was; says how to install the one that has it.
    """
    if way.providers[0] in ort.get_available_providers():
        return
    error = MissingDriverError(f"the detector runtime {way.runtime}", "onnxruntime-gpu", "")
    error.mend = _INSTALL  # the install line alone would put two distributions into one folder
    raise error


def _open_session(package: Package, way: Way, options: Options) -> Any:
    check_way(way)
    settings = ort.SessionOptions()
    settings.log_severity_level = LOG_FATAL  # what it would print stands in the exception
    settings.intra_op_num_threads = settings.inter_op_num_threads = 1  # the processor computes nothing here
    for key, value in (*way.entries, _TELL_NODES):
        settings.add_session_config_entry(key, value)
    providers = [(name, dict(options.get(name, {}))) for name in way.providers]
    content = package.read_onnx()
    try:
        # Else a provider that fails is replaced by the CPU, with a line on stdout.
        session = ort.InferenceSession(content, settings, providers=providers, enable_fallback=0)
    except REFUSALS as error:
        if "fallback to CPU EP" in str(error):
            _explain(content, way, providers)
        raise _refusal(package, way, error) from error
    _check_used(session, way)
    return session


def _explain(content: bytes, way: Way, providers: Sequence[tuple[str, dict[str, str]]]) -> None:
    """Opens the session as it would have been with the CPU's help, only to say what the CPU would have got.

    Raises:
        DetectorError: The provider does not load, or does not take these nodes.
    """
    settings = ort.SessionOptions()
    settings.log_severity_level = LOG_FATAL
    settings.add_session_config_entry(*_TELL_NODES)
    try:
        session = ort.InferenceSession(content, settings, providers=providers, enable_fallback=0)
    except REFUSALS:
        return
    _check_used(session, way)


def _refusal(package: Package, way: Way, error: Exception) -> DetectorError | PackageError:
    where = f"ONNX Runtime {ort.__version__} on {way.providers[0]}"
    if type(error).__name__ in ("InvalidGraph", "InvalidProtobuf") or "protobuf" in str(error):
        return PackageError(
            f"{package.onnx} is no model that {where} can run: {first_line(error)}",
            "export it again, or install a newer onnxruntime-gpu",
        )
    return DetectorError(f"{where} cannot load {package.onnx}: {first_line(error)}", _MEND)


def _check_used(session: Any, way: Way) -> None:
    """What the session really runs on, whatever it was asked for."""
    wanted = way.providers[0]
    listed = list(session.get_providers())
    if listed[:1] != [wanted]:
        raise DetectorError(
            f"ONNX Runtime put {listed[0] if listed else 'nothing'} in the place of {wanted}, which does not load here",
            _MEND,
        )
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return
    parts = session.get_provider_graph_assignment_info()
    strangers = [part for part in parts if part.ep_name not in way.providers]
    if strangers:
        nodes = [f"{node.name} ({node.op_type})" for part in strangers for node in part.get_nodes()]
        count = f"{len(nodes)} nodes of the model" if len(nodes) > 1 else "a node of the model"
        raise DetectorError(f"{wanted} does not take {count}, such as {nodes[0]}, and the CPU would run it", _MEND)
    if parts and not any(part.ep_name == wanted for part in parts):
        raise DetectorError(f"no node of the model is taken by {wanted}, all by {parts[0].ep_name}", _MEND)


def _on_device(way: Way, shape: Sequence[int], kind: Any) -> Any:
    try:
        return ort.OrtValue.ortvalue_from_shape_and_type(list(shape), kind, way.device, 0)
    except REFUSALS as error:
        raise DetectorError(f"the GPU gives no memory for {tuple(shape)}: {first_line(error)}", _MEND) from error
