"""The one table of who may do what: a row per endpoint, sorted by endpoint. What has no row is refused to everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.web.access.roles import Role


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may use an endpoint.

    Attributes:
        role: The least role that may. `Role.NONE`: whoever stands before the screen.
        asks_again: It has consequences: the own PIN or password was given within the last two minutes, and a reason
            comes with it. Machines may never.
        scope: The scope of a machine's token that may: `read`, `review` or `line`; empty: none may. `None`: `read`
            for what changes nothing, else the scope of the endpoint's blueprint where there is one of that name.
    """

    role: Role
    asks_again: bool = False
    scope: str | None = None


_ANYBODY = Permission(Role.NONE)
_SOMEBODY = Permission(Role.OPERATOR, scope="")
_QUALITY = Permission(Role.QUALITY, scope="")
_TECHNICIAN = Permission(Role.TECHNICIAN, scope="")
_ADMIN = Permission(Role.ADMIN, scope="")
_ADMIN_AGAIN = Permission(Role.ADMIN, asks_again=True, scope="")

_ROWS: dict[str, Permission] = {
    "access.account": _SOMEBODY,
    "access.add_person": _ADMIN_AGAIN,
    "access.alive": _SOMEBODY,
    "access.audit": _QUALITY,
    "access.audit_csv": _QUALITY,
    "access.audit_jsonl": _QUALITY,
    "access.begin": _ANYBODY,
    "access.confirm_session": _SOMEBODY,
    "access.end_others": _SOMEBODY,
    "access.machines": _ADMIN,
    "access.make_token": _ADMIN_AGAIN,
    "access.me": _ANYBODY,
    "access.my_sessions": _SOMEBODY,
    "access.people": _ADMIN,
    "access.remove_person": _ADMIN_AGAIN,
    "access.revoke_token": _ADMIN_AGAIN,
    "access.set_own_secret": _SOMEBODY,
    "access.set_role": _ADMIN_AGAIN,
    "access.set_secret": _ADMIN_AGAIN,
    "access.set_up_box": _ANYBODY,
    "access.set_up_page": _ANYBODY,
    "access.sign_in": _ANYBODY,
    "access.sign_out": _SOMEBODY,
    "access.sign_person_out": _ADMIN,
    "access.tokens": _ADMIN,
    "access.trail": _QUALITY,
    "access.unlock_person": _ADMIN,
    "access.users": _ADMIN,
    "access.verify_audit": _QUALITY,
    "alive": _ANYBODY,
    "api.health": _ANYBODY,
    "api.parts": _ANYBODY,
    "api.preview": _ANYBODY,
    "api.status": _ANYBODY,
    "api.stop": _ANYBODY,
    "api.stream": _ANYBODY,
    "figures.apply": Permission(Role.QUALITY, asks_again=True, scope=""),
    "figures.ask_opinion": _QUALITY,
    "figures.choices": _ANYBODY,
    "figures.compare_opinions": Permission(Role.LEAD),
    "figures.data": _ANYBODY,
    "figures.end_opinion": _QUALITY,
    "figures.go_back": Permission(Role.QUALITY, asks_again=True, scope=""),
    "figures.models": Permission(Role.LEAD),
    "figures.opinion_page": Permission(Role.LEAD),
    "figures.opinions_now": Permission(Role.LEAD),
    "figures.page": _ANYBODY,
    "figures.shifts": _ANYBODY,
    "figures.try_thresholds": Permission(Role.LEAD, scope="read"),
    "figures.what_if": Permission(Role.LEAD),
    "home": _ANYBODY,
    "line.acknowledge": Permission(Role.OPERATOR),
    "line.alarm_page": _ANYBODY,
    "line.challenge": _ANYBODY,
    "line.change_recipe": Permission(Role.LEAD, asks_again=True),
    "line.close_lot": Permission(Role.OPERATOR),
    "line.end_lot": Permission(Role.OPERATOR),
    "line.history": _ANYBODY,
    "line.lots": _ANYBODY,
    "line.open_lot": Permission(Role.OPERATOR),
    "line.purge": Permission(Role.OPERATOR),
    "line.recipe_picture": _ANYBODY,
    "line.recipes": _ANYBODY,
    "line.reset": Permission(Role.LEAD, asks_again=True),
    "line.silence": _ANYBODY,
    "line.start_challenge": Permission(Role.OPERATOR),
    "line.stretches": _ANYBODY,
    "machine.bundle": _TECHNICIAN,
    "machine.camera": _TECHNICIAN,
    "machine.camera_grab": _TECHNICIAN,
    "machine.camera_look": _TECHNICIAN,
    "machine.camera_picture": _TECHNICIAN,
    "machine.checked": Permission(Role.LEAD),
    "machine.diagnosed": Permission(Role.LEAD),
    "machine.diagnosis": Permission(Role.LEAD),
    "machine.io_levels": Permission(Role.TECHNICIAN),
    "machine.io_page": Permission(Role.TECHNICIAN),
    "machine.log_lines": _TECHNICIAN,
    "machine.log_text": _TECHNICIAN,
    "machine.logs": _TECHNICIAN,
    "machine.process_list": Permission(Role.LEAD),
    "machine.processes": Permission(Role.LEAD),
    "machine.pulse": Permission(Role.TECHNICIAN, asks_again=True, scope=""),
    "machine.restart": Permission(Role.TECHNICIAN, asks_again=True, scope=""),
    "machine.run_checks": Permission(Role.TECHNICIAN, scope=""),
    "operator.overview": _ANYBODY,
    "reference.document": _ANYBODY,
    "reference.page": _ANYBODY,
    "reports.certificate": Permission(Role.QUALITY),
    "reports.export": Permission(Role.LEAD),
    "reports.page": Permission(Role.LEAD),
    "reports.report": Permission(Role.LEAD),
    "reports.signing_key": Permission(Role.LEAD),
    "review.filters": Permission(Role.LEAD, scope=""),
    "review.find": Permission(Role.LEAD),
    "review.forget_filter": Permission(Role.LEAD, scope=""),
    "review.label": Permission(Role.QUALITY),
    "review.label_many": Permission(Role.QUALITY),
    "review.labels": Permission(Role.LEAD),
    "review.neighbours": Permission(Role.LEAD),
    "review.part": Permission(Role.LEAD),
    "review.picture": Permission(Role.LEAD),
    "review.queue": Permission(Role.LEAD),
    "review.rows": Permission(Role.LEAD),
    "review.save_filter": Permission(Role.LEAD, scope=""),
    "review.story": Permission(Role.LEAD),
    "review.take_back": Permission(Role.QUALITY),
    "review.thumb": Permission(Role.LEAD),
    "sheet": _ANYBODY,
    "static": _ANYBODY,
}

PERMISSIONS: Mapping[str, Permission] = MappingProxyType(_ROWS)
