"""What both halves of the `LineIO` contract are tried on."""

import pytest

from app.clock import VirtualClock
from tests.contract.lineio_bench import BOARDS, Bench


@pytest.fixture(params=BOARDS)
def bench(request):
    clock = VirtualClock()
    bench = Bench(clock, BOARDS[request.param](clock))
    yield bench
    if bench.line:
        bench.line.close()
    bench.board.close()
