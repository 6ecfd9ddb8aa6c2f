"""A station and a recorder as the page sees them, through the real bus: status, events, previews and commands.

Run as a process; each line of JSON on its standard input changes something, see `Station.obey`. For every verdict it
writes one line to its standard output: the part and the wall time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2

from app.bus.block import BlockWriter
from app.bus.commands import CommandServer, Reply, Request
from app.bus.events import encode_event
from app.bus.place import Place
from app.bus.ring import RingWriter
from app.decide import decide, reject
from app.recipe import Recipe, parse_recipe
from app.record.documents import hash_of
from app.record.health import BLOCK, BLOCK_BYTES, RecorderStatus, encode_health
from app.record.pictures import PictureKind
from app.status import CameraStatus, InputStatus, OutputStatus, State, Status, StopReason, encode_status
from app.twin.boards import Design
from app.twin.defects import CLASSES
from app.types import Detection, EventKind, LedgerEvent, Reason, Tally
from app.web.parts import preview_of

RECIPE = Recipe(name="demo board")
BOARDS = 14
STATUS_S = 0.05
LISTED = {"cameras": CameraStatus, "inputs": InputStatus, "outputs": OutputStatus}
OUTCOME_AFTER = 4
FIRST_PART = 995
"""Soon with thousands, which nobody must set apart in the number of a part."""


class Pictures:
    """Boards with and without defects as JPEGs, and what a good detector would find in them."""

    def __init__(self, seed: int = 7) -> None:
        design, dice = Design(seed), random.Random(seed)
        self.all = []
        for number in range(BOARDS):
            defects = tuple(dice.sample(CLASSES, 1 + number % 2)) if number % 4 == 0 else ()
            board = design.board(number, defects)
            small = cv2.resize(board.image, (480, 480), interpolation=cv2.INTER_AREA)
            found = [Detection(label, dice.uniform(0.55, 0.98), tuple(map(float, box))) for label, box in board.boxes]
            if number % 7 == 5:
                found.append(Detection("spur", 0.31, (402.0, 96.0, 34.0, 30.0)))
            self.all.append((cv2.imencode(".jpg", small, (cv2.IMWRITE_JPEG_QUALITY, 75))[1].tobytes(), found))


class Station:
    """What a station tells of itself, made up.

    Args:
        folder: The bus.
        lane: The lane.
        epoch: Which start this is.
        period_s: Time between two parts.
    """

    def __init__(self, folder: Path, lane: int, epoch: int, period_s: float) -> None:
        self.place = Place(folder)
        self.previews = self.place.previews()
        self.lane, self.epoch, self.period_s = lane, epoch, period_s
        self.block = BlockWriter(self.place.status(lane), 32 * 1024)
        self.recorder = BlockWriter(self.place.root / BLOCK, BLOCK_BYTES) if lane == 1 else None
        self.ring = RingWriter(self.place.ring(lane), 4 << 20)
        self.commands = CommandServer(self.place.commands(lane))
        self.pictures = Pictures()
        self.sequence = 0
        self.part = FIRST_PART - 1
        self.open: list[tuple[int, bool]] = []
        self.files: list[Path] = []
        self.dice = random.Random(3)
        self.is_running = True
        self.recorder_said = RecorderStatus(0, rows=41_208, disk_free_gb=54.2, kept={PictureKind.REJECT: 812})
        self.status = self.first_status()
        self.write(EventKind.STARTED, None, lot=self.status.lot)

    def first_status(self) -> Status:
        """How it is at first."""
        now_ns = time.monotonic_ns()
        return Status(
            State.RUNNING,
            "",
            now_ns - 192_000_000_000,
            now_ns,
            Tally(triggers=1204, passed=1187, rejected=17),
            "2026-31-A",
            lane=self.lane,
            name="Demo line" if self.lane == 1 else f"Demo line {self.lane}",
            epoch=self.epoch,
            recipe="demo board",
            package="pcb-nano",
            runtime="openvino",
            budget_ms=5.0,
            speed_mm_s=500.0,
            is_permitted=True,
            lamps=("lamp_green",),
            scheduling="FIFO 80/70, memory locked",
            inputs=(
                InputStatus("part", False, 2408, now_ns - 1_900_000_000),
                InputStatus("running", True, 1, now_ns - 192_000_000_000),
                InputStatus("exit", False, 2374, now_ns - 700_000_000),
                InputStatus("chute:reject", False, 34, now_ns - 41_000_000_000),
                InputStatus("bin_full:reject"),
            ),
            outputs=(
                OutputStatus("gate:reject", True, False, 10, 2000),
                OutputStatus("gate:rework", False, False, 10, 390),
                OutputStatus("permit", True),
                OutputStatus("ready", True, False, 10, 2000),
                OutputStatus("lamp_red", False, False, 10, 2000),
            ),
        )

    def write(self, kind: EventKind, part: int | None, **data) -> None:
        event = LedgerEvent(
            self.lane, self.epoch, self.sequence, time.monotonic_ns(), kind, part, 2 * (part or 0), data
        )
        self.sequence += 1
        if self.ring.room_share > 0.01:
            self.ring.write(encode_event(event))

    def publish(self) -> None:
        now_ns = time.monotonic_ns()
        cameras = tuple(each for each in self.status.cameras) or (CameraStatus("top", "", self.part, now_ns),)
        self.block.write(encode_status(replace(self.status, at_ns=now_ns, cameras=cameras)))
        if self.recorder:
            self.recorder.write(encode_health(replace(self.recorder_said, at_ns=now_ns)))

    def judge(self, picture: int | None = None, found=None, text: str = "", reason: str = "") -> None:
        """One part from its trigger to its verdict."""
        self.part += 1
        part = self.part
        index = self.dice.randrange(BOARDS) if picture is None else picture
        content, boxes = self.pictures.all[index]
        boxes = boxes if found is None else [Detection(each[0], each[1], tuple(each[2])) for each in found]
        self.write(EventKind.TRIGGER, part, lot=self.status.lot)
        now_ns = time.monotonic_ns()
        verdict = decide(part, boxes, RECIPE, now_ns)
        if reason:
            verdict = reject(part, Reason(reason), text, "reject", now_ns)
        self.write(
            EventKind.VERDICT,
            part,
            destination=verdict.destination,
            route=verdict.destination,
            reasons=" ".join(sorted({each.reason.value for each in verdict.findings})),
            text="; ".join(each.text for each in verdict.findings),
            is_flagged=verdict.is_flagged,
        )
        if not reason or reason == "DETECTOR_FAILED":
            self._judged(part, verdict, boxes)
            path = self.previews / preview_of(self.lane, self.epoch, part, "top")
            draft = path.with_suffix(".draft")
            draft.write_bytes(content)
            draft.replace(path)
            self.files.append(path)
            while len(self.files) > 24:
                self.files.pop(0).unlink(missing_ok=True)
        self.open.append((part, verdict.is_pass))
        tally = self.status.tally
        self.status = replace(
            self.status, tally=replace(tally, triggers=tally.triggers + 1, in_flight=tally.in_flight + 1)
        )
        self.recorder_said = replace(self.recorder_said, rows=self.recorder_said.rows + 9)
        if len(self.open) > OUTCOME_AFTER:
            self._settle()
        said = {"part": part, "at": time.time(), "is_pass": verdict.is_pass}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()

    def _judged(self, part: int, verdict, boxes) -> None:
        infer_us = round(self.dice.gauss(2300, 180) + (self.dice.random() < 0.01) * 1400)
        stages = {"transfer_us": 8100, "wake_us": 110, "pre_us": 260, "decode_us": 45, "decide_us": 22}
        self.write(
            EventKind.JUDGED,
            part,
            camera="top",
            exposure=0,
            slot=3,
            generation=part,
            picture="",
            destination=verdict.destination,
            is_flagged=verdict.is_flagged,
            detections=json.dumps([[b.label, round(b.score, 4), *b.box_px] for b in boxes]),
            width=640,
            height=640,
            channels=1,
            infer_us=infer_us,
            total_us=infer_us + 437 + round(self.dice.random() * 80),
            **stages,
        )

    def _settle(self) -> None:
        part, is_pass = self.open.pop(0)
        outcome = "PASSED" if is_pass else "REJECTED"
        self.write(EventKind.OUTCOME, part, outcome=outcome, confirmation="SEEN", destination="pass", reason="")
        tally = self.status.tally
        tally = replace(
            tally,
            in_flight=tally.in_flight - 1,
            passed=tally.passed + is_pass,
            rejected=tally.rejected + (not is_pass),
        )
        self.status = replace(self.status, tally=tally)

    def stop(self, by: str) -> None:
        self.is_running = False
        now_ns = time.monotonic_ns()
        latch = StopReason("OPERATOR", f"stopped by {by}", now_ns)
        latches = (*self.status.latches, latch)
        self.status = replace(
            self.status, state=State.STOPPED, why=latch.text, since_ns=now_ns, latches=latches, is_permitted=False
        )
        self.write(EventKind.LATCHED, None, cause=latch.cause, text=latch.text)

    def obey(self, said: dict) -> None:
        """One line of input: `anew`, `pause`, `judge`, `status` (fields), `tally`, `latches`, `recorder`, `LISTED`."""
        if "anew" in said:
            self.status, self.is_running, self.open = self.first_status(), True, []
            self.recorder_said = replace(self.recorder_said, policy="", error="")
        if "pause" in said:
            self.is_running = not said["pause"]
            sys.stdout.write(json.dumps({"rests_at": self.part}) + "\n")
            sys.stdout.flush()
        if "judge" in said:
            self.judge(**said["judge"])
        fields = dict(said.get("status", {}))
        if "state" in fields:
            fields["state"] = State(fields["state"])
            fields["since_ns"] = time.monotonic_ns() - 1_000_000_000 * fields.pop("for_s", 0)
        if "latches" in said:
            now_ns = time.monotonic_ns()
            fields["latches"] = tuple(StopReason(*each[:2], now_ns, *each[2:]) for each in said["latches"])
        fields |= {key: tuple(LISTED[key](*each) for each in said[key]) for key in LISTED if key in said}
        if "tally" in said:
            fields["tally"] = Tally(**said["tally"])
        if "recorder" in said:
            self.recorder_said = replace(self.recorder_said, **said["recorder"])
        self.status = replace(self.status, **fields)

    def carry_out(self, request: Request) -> Reply:
        """What a station makes of a command, as far as a page can see it."""
        status, lot = self.status, request.lot
        if request.command == "stop":
            self.stop(request.by)
        elif request.command == "open_lot":
            self.status = replace(status, lot=lot, tally=Tally())
            self.write(EventKind.LOT_OPENED, None, lot=lot)
        elif request.command == "close_lot" and lot == status.lot:
            return Reply(ok=False, what=f"lot {lot} is running", mend="open the next lot first")
        elif request.command == "start_challenge":
            self.status = replace(status, challenge_phase="SPACED", is_challenge_due=False)
            self.write(EventKind.CHALLENGE, None, result="STARTED", text=f"started by {request.by}")
        elif request.command == "adopt_recipe":
            recipe = parse_recipe(request.recipe, "the recipe")
            if "dent" in recipe.classes:
                return Reply(
                    ok=False, what="it has rules for 'dent', which the model does not know", mend="use another"
                )
            self.status = replace(status, recipe=recipe.name, recipe_sha256=hash_of(request.recipe))
            self.write(EventKind.RECIPE, None, recipe=recipe.name, by=request.by, why=request.reason)
        elif request.command == "pulse":
            return self.pulse(request)
        elif request.command == "reset":
            if status.state is not State.STOPPED:
                return Reply(ok=False, what="the line is not stopped", mend="nothing to reset")
            self.status = replace(status, state=State.RUNNING, why="", latches=(), is_permitted=True)
            self.write(EventKind.RESET, None, by=request.by, why=request.reason)
        return Reply(ok=True, epoch=self.epoch, sequence=self.sequence - 1)

    def pulse(self, request: Request) -> Reply:
        """A pulse that never ends, so that a test can see it."""
        if self.status.pulse_bar:
            return Reply(ok=False, what="the line is not stopped", mend="stop it, and wait until the belt stands")
        outputs = tuple(
            replace(each, is_on=not each.is_on, is_pulsed=True) if each.name == request.output else each
            for each in self.status.outputs
        )
        self.status = replace(self.status, outputs=outputs, pulse_bar="BUSY")
        said = {"output": request.output, "pulse_ms": request.pulse_ms, "by": request.by, "why": request.reason}
        self.write(EventKind.PULSE, None, result="STARTED", role=request.role, **said)
        return Reply(ok=True, epoch=self.epoch, sequence=self.sequence - 1)

    def run(self) -> None:
        due_part = time.monotonic() + 0.2
        buffered = b""
        while True:
            self.publish()
            ready, _, _ = select.select([0, self.commands], [], [], STATUS_S)
            if 0 in ready:
                chunk = os.read(0, 65_536)
                if not chunk:
                    return
                *lines, buffered = (buffered + chunk).split(b"\n")
                for line in lines:
                    self.obey(json.loads(line))
            for received in self.commands.receive():
                self.commands.answer(received, self.carry_out(received.request))
            if self.is_running and self.period_s and time.monotonic() >= due_part:
                due_part = max(due_part + self.period_s, time.monotonic() - self.period_s)
                self.judge()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("bus", type=Path)
    parser.add_argument("--lane", type=int, default=1)
    parser.add_argument("--epoch", type=int, default=1)
    parser.add_argument("--period", type=float, default=0.2)
    said = parser.parse_args()
    station = Station(said.bus, said.lane, said.epoch, said.period)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    station.run()


if __name__ == "__main__":
    main()
