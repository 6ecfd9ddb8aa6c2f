"""The page of inputs and outputs, and its API: what every wire says, and trying an output of a standing line."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, render_template

from app.bus.block import read_block
from app.clock import NS_PER_MS
from app.config import Input, Line, Output, inputs_of, outputs_of
from app.errors import LineError
from app.status import Status, decode_status
from app.web.access.present import reason, somebody
from app.web.context import Context
from app.web.line.answers import Done
from app.web.line.asking import acting, ask_station, check_lane
from app.web.machine.io_answers import EncoderAnswer, InputAnswer, IoAnswer, OutputAnswer, PulseBody, WireAnswer
from app.web.openapi import documented, sent, told

_OF_LANE = "/api/v1/lanes/<int:lane>"
DURATIONS_MS = (50, 200, 1000)


def add_io(machine: Blueprint, context: Context) -> None:
    """Adds the inputs and outputs.

    Args:
        machine: The blueprint.
        context: What they work with.
    """
    lines = {line.line.lane: line for line in context.lines}

    @machine.get("/machine/io")
    def io_page() -> str:
        return render_template("machine/io.html", lanes=context.live.lanes, durations=DURATIONS_MS)

    @machine.get(f"{_OF_LANE}/io")
    @documented(answer=IoAnswer, errors=(404, 503))
    def io_levels(lane: int) -> Response:
        """Every wired input and output of a lane, and its belt, as the station told them last."""
        check_lane(context, lane)
        status = _newest(context, lane)
        return told(_answer(status, lines.get(lane), context.clock.now_ns()))

    @machine.post(f"{_OF_LANE}/io/pulse")
    @documented(answer=Done, body=PulseBody, errors=(404, 409, 503))
    def pulse(lane: int) -> Response:
        """Has an output show its other level for a moment. The station refuses while its line does not stand."""
        check_lane(context, lane)
        wanted, person, why = sent(PulseBody), somebody(), reason()
        reply = ask_station(
            context,
            lane,
            command="pulse",
            by=person.name,
            role=acting(person),
            reason=why,
            output=wanted.output,
            pulse_ms=wanted.pulse_ms,
        )
        after = {"output": wanted.output, "pulse_ms": wanted.pulse_ms}
        context.audit.write(person.name, "machine.pulse", f"lane {lane}", None, after, why)
        return told(Done.of(reply))


def _newest(context: Context, lane: int) -> Status:
    """What the station told last.

    Raises:
        LineError: It has told nothing.
        BusError: There is nothing to read it from, or it is of another version.
    """
    said = read_block(context.place.status(lane))
    if said is None:
        raise LineError(f"the station of lane {lane} has not told anything yet", "start it with: takt run")
    return decode_status(said)


def _answer(status: Status, line: Line | None, now_ns: int) -> IoAnswer:
    inputs: Mapping[str, Input] = inputs_of(line) if line else {}
    outputs: Mapping[str, Output] = outputs_of(line) if line else {}
    return IoAnswer(
        lane=status.lane,
        age_ms=_age_ms(status.at_ns, now_ns),
        state=status.state.value,
        is_permitted=status.is_permitted,
        bar=status.pulse_bar,
        inputs=[
            InputAnswer(
                name=each.name,
                is_active=each.is_active,
                edges=each.edges,
                changed_ms=_age_ms(each.changed_ns, now_ns) if each.changed_ns else None,
                wire=_input_wire(inputs.get(each.name)),
            )
            for each in status.inputs
        ],
        outputs=[
            OutputAnswer(
                name=each.name,
                is_on=each.is_on,
                is_pulsed=each.is_pulsed,
                least_ms=each.least_ms,
                most_ms=each.most_ms,
                wire=_output_wire(outputs.get(each.name)),
            )
            for each in status.outputs
        ],
        encoder=EncoderAnswer(
            driver=line.encoder.driver if line else "",
            pins=[str(pin) for pin in (line.encoder.a, line.encoder.b) if pin is not None] if line else [],
            count=status.count,
            position_mm=status.position_mm,
            speed_mm_s=status.speed_mm_s,
            missed=status.missed,
        ),
    )


def _input_wire(wired: Input | None) -> WireAnswer | None:
    if wired is None:
        return None
    return WireAnswer(pin=str(wired.pin), active_low=wired.active_low, debounce_ms=wired.debounce_ms, read_back="")


def _output_wire(wired: Output | None) -> WireAnswer | None:
    if wired is None:
        return None
    contact = str(wired.read_back.pin) if wired.read_back else ""
    return WireAnswer(pin=str(wired.pin), active_low=wired.active_low, debounce_ms=0, read_back=contact)


def _age_ms(at_ns: int, now_ns: int) -> float:
    return max(0, now_ns - at_ns) / NS_PER_MS
