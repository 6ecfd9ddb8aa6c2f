"""What a station makes of an accelerator that offers nonsense: named, distrusted, and never a part of the hot loop."""

from types import SimpleNamespace

import pytest

from app.bus.bell import Bell
from app.bus.exchange import ExchangeServer
from app.bus.life import own_mark
from app.clock import NS_PER_MS, SystemClock
from app.detect.accelerator import open_remote
from app.detect.attachment import Attachment
from app.detect.package import load_package
from app.detect.prepare import input_bytes
from app.detect.serving import ServedLane, answer_bytes
from app.errors import BusError, DetectorError, PackageError
from tests.contract.bus_peers import bus_folder
from tests.unit.detect.tiny_model import blank, read, with_spot, write_package

ROWS = 12
TABLES = (
    ["boxes", "float32", [1, ROWS, 4], 0],
    ["scores", "float32", [1, ROWS], 192],
    ["classes", "int32", [1, ROWS], 256],
)


class Desk:
    """A server without a model, and a station that attaches to it."""

    def __init__(self, folder):
        self.package = load_package(write_package(folder / "package"))
        spec = self.package.spec
        self.path = folder / "exchange"
        self.server = ExchangeServer(self.path, input_bytes(spec), answer_bytes(self.package))
        bells = Bell(folder / "one"), Bell(folder / "two")
        self.attach = Attachment(folder / "exchange", self.package, read, bells[0].ring, bells[1], SystemClock())

    def offer(self, **other):
        about = {
            "variant": self.package.variant,
            "onnx_sha256": self.package.onnx_sha256,
            "runtime": "onnx",
            "life": own_mark(),
            "outputs": list(TABLES),
            "usual_ns": 5,
        }
        self.server.offer(about | other)


@pytest.fixture
def desk():
    with bus_folder() as folder:
        desk = Desk(folder)
        yield desk
        desk.server.close()


def test_whole_offer_is_taken_once(desk):
    desk.offer()
    attached = desk.attach()
    assert (attached.detector.runtime, attached.usual_ns) == ("onnx", 5)
    assert desk.attach() is None, "it was attached to before"
    attached.detector.close()


def test_what_its_process_could_run_and_does_not_comes_with_the_offer(desk):
    desk.offer(unused=["accelerator-int8 on tensorrt was passed over: its golden frames do not reproduce", 5])
    attached = desk.attach()
    assert attached.unused == ("accelerator-int8 on tensorrt was passed over: its golden frames do not reproduce",)
    attached.detector.close()


def with_table(number, place, value):
    tables = [list(each) for each in TABLES]
    tables[number][place] = value
    return tables


@pytest.mark.parametrize(
    "outputs",
    [
        TABLES[:2],
        [],
        with_table(0, 0, "logits"),
        with_table(0, 2, [1, ROWS, 5]),
        with_table(0, 2, [1, 1001, 4]),
        with_table(1, 1, "float64"),
        with_table(0, 3, -64),
    ],
    ids=[
        "a table less",
        "no table",
        "another name",
        "another width",
        "too many rows",
        "another type",
        "before the start",
    ],
)
def test_tables_that_the_package_does_not_have_are_refused_and_the_server_is_asked_to_end(desk, outputs):
    desk.offer(outputs=outputs)
    with pytest.raises((DetectorError, BusError)) as raised:
        desk.attach()
    if isinstance(raised.value, DetectorError):
        assert str(raised.value).startswith("accelerator wrong: ")
        assert desk.server.distrust.startswith("accelerator wrong: ")
        assert desk.attach() is None, "the same server is not asked again"


@pytest.mark.parametrize(
    "outputs", ["rubbish", 7, None, [["boxes"]], [["boxes", "object", [1], 0]], with_table(0, 2, [1, 2**40, 4])]
)
def test_description_without_sense_is_a_trouble_of_the_bus(desk, outputs):
    desk.offer(outputs=outputs)
    with pytest.raises(BusError, match="makes no sense"):
        desk.attach()


@pytest.mark.parametrize("usual", [None, "fast", [1]])
def test_time_that_is_no_number_counts_as_unknown(desk, usual):
    desk.offer(usual_ns=usual)
    attached = desk.attach()
    assert attached.usual_ns == 0
    attached.detector.close()


def test_another_model_is_waited_for_and_not_distrusted(desk):
    desk.offer(onnx_sha256="0" * 64)
    with pytest.raises(PackageError, match="runs another model"):
        desk.attach()
    assert desk.server.distrust == ""


def test_server_that_has_ended_without_a_word_is_not_asked(desk):
    space, _, born = own_mark().partition(":")
    desk.offer(life=f"{space}:{int(born) + 1}")
    with pytest.raises(BusError, match="has ended"):
        desk.attach()


def test_reason_why_it_could_not_start_is_told(desk):
    desk.offer()
    desk.server.close("out of memory: the model needs 812 MiB")
    with pytest.raises(DetectorError, match="accelerator not started: out of memory"):
        desk.attach()


def test_input_is_left_alone_while_the_server_may_still_read_it(desk):
    desk.offer()
    detector = desk.attach().detector
    detector.remote._exchange.ask(0)
    with pytest.raises(DetectorError, match="accelerator busy"):
        detector.detect(with_spot(3, 3), blank())
    assert not desk.server.input.any()
    detector.close()


def test_time_that_the_picture_takes_to_prepare_is_the_slices(desk):
    desk.offer()
    detector = desk.attach().detector
    times = iter([1000 * NS_PER_MS, 1006 * NS_PER_MS])
    detector.remote._clock = SimpleNamespace(now_ns=lambda: next(times))
    detector.remote.slice_ns = 5 * NS_PER_MS
    detector.remote.begin()
    with pytest.raises(DetectorError, match=r"accelerator late: no answer within 5\.0 ms"):
        detector.remote.infer()
    assert desk.server.asked() == 1005 * NS_PER_MS
    detector.close()


def test_one_that_leaves_answers_whoever_waits(desk):
    desk.offer()
    remote = desk.attach().remote
    remote._exchange.ask(0)
    ServedLane.leave(SimpleNamespace(exchange=desk.server, refuse=desk.server.answer))
    assert (remote._exchange.is_busy, remote.has_left) == (False, True)
    assert remote._exchange.error == "its process was asked to end"
    remote.close()


def test_server_that_is_replaced_while_it_is_attached_to_is_looked_at_again(desk, monkeypatch):
    desk.offer()

    def replaced(exchange, *others):
        opened = open_remote(exchange, *others)
        desk.server.close()
        geometry = len(desk.server.input), len(desk.server.output)
        desk.server = ExchangeServer(desk.path, *geometry)
        desk.offer(runtime="its successor")
        return opened

    monkeypatch.setattr("app.detect.attachment.open_remote", replaced)
    assert desk.attach() is None, "half of it may be of the one before"
    monkeypatch.undo()
    attached = desk.attach()
    assert attached.detector.runtime == "its successor"
    attached.detector.close()
