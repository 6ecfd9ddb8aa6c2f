"""The pages of the machine."""

from __future__ import annotations

from flask import Blueprint

from app.web.context import Context
from app.web.machine.bundle_pages import add_bundle
from app.web.machine.camera_pages import add_camera
from app.web.machine.diagnosis_pages import add_diagnosis
from app.web.machine.diagnosis_readings import Readings
from app.web.machine.io_pages import add_io
from app.web.machine.log_pages import add_logs
from app.web.machine.process_pages import add_processes


def make_machine(context: Context) -> Blueprint:
    """The blueprint `machine`.

    Args:
        context: What the pages work with.
    """
    machine = Blueprint("machine", __name__)
    readings = Readings(context)
    add_diagnosis(machine, context, readings)
    add_processes(machine, context, readings)
    add_camera(machine, context)
    add_logs(machine, context)
    add_bundle(machine, context)
    add_io(machine, context)
    return machine
