"""Lots with what can be taken away of them: reports, certificates, and exports with pictures."""

from __future__ import annotations

import re
import threading
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, render_template
from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.record import LEDGER, PICTURES
from app.record.figures import Figures
from app.record.keys import PartKey
from app.record.told import LotRecord
from app.web.access.present import somebody
from app.web.access.refusals import RefusedError
from app.web.context import Context
from app.web.figures.views import words_of_cause
from app.web.languages import texts
from app.web.openapi import asked, documented
from app.web.reports.account import LotAccount, account_of
from app.web.reports.apart import Apart
from app.web.reports.bundle import Form, zipped
from app.web.reports.items import chosen_keys, items_of
from app.web.reports.signing import Signer
from app.web.review.desk import ReviewDesk
from app.web.review.filters import QueueFilter

PDF = "application/pdf"
ZIP = "application/zip"
_SHOWN = 200
_EXPORTS = 2
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class LotQuery(BaseModel):
    """Which lot."""

    model_config = ConfigDict(frozen=True)

    lot: str = Field("", max_length=200, description="its name; empty: the one without a name")


class ExportQuery(QueueFilter):
    """Which parts of the queue, and in which form."""

    form: Form = Field("coco", description="with the pictures: COCO, YOLO, or CSV with a row per part")
    parts: str | None = Field(
        None,
        max_length=6_000,
        pattern=r"^\d{1,3}-\d{1,18}-\d{1,18}(,\d{1,3}-\d{1,18}-\d{1,18})*$",
        description="only these, as lane-epoch-part with commas between; the filter then does not choose",
    )

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, given: Any) -> Any:
        """A form sends also what was not chosen."""
        return {key: value for key, value in given.items() if value != ""} if isinstance(given, dict) else given

    @property
    def keys(self) -> list[PartKey]:
        """The parts that are named."""
        found = [tuple(map(int, each.split("-"))) for each in (self.parts or "").split(",") if each]
        return [(lane, epoch, part_id) for lane, epoch, part_id in found]


def make_reports(context: Context) -> Blueprint:
    """The blueprint `reports`.

    Args:
        context: What the pages work with.
    """
    reports = Blueprint("reports", __name__)
    review = ReviewDesk.of(context)
    _add_documents(reports, context, Figures(context.state / LEDGER), review)
    _add_export(reports, context, review)

    @reports.get("/figures/lots")
    def page() -> str:
        return render_template(
            "figures/lots.html", lots=context.records.lots(most=_SHOWN), choices=review.queue.choices()
        )

    return reports


def _add_documents(reports: Blueprint, context: Context, figures: Figures, review: ReviewDesk) -> None:
    def account(lane: int) -> LotAccount:
        lot, lanes = asked(LotQuery).lot, {each.number: each.name for each in context.live.lanes}
        return account_of(context.state, context.records, figures, lane, lot, lanes.get(lane, str(lane)))

    @reports.get("/api/v1/lots/<int:lane>/report.pdf")
    @documented(query=LotQuery, errors=(404, 503), media=PDF)
    def report(lane: int) -> Response:
        """The report of a lot: its account, causes, models and recipes, challenge tests, and its worst rejects."""
        from app.web.reports.pdf import draw_report  # noqa: PLC0415 - what draws is loaded when it is needed
        from app.web.reports.worst import worst_of  # noqa: PLC0415

        known = account(lane)
        worst = worst_of(review, context.state / PICTURES, lane, known.lot.lot)
        return _file(draw_report(known, texts(), _causes(known), worst), PDF, f"report-{known.lot.lot}.pdf")

    @reports.get("/api/v1/lots/<int:lane>/certificate.pdf")
    @documented(query=LotQuery, errors=(404, 409, 503), media=PDF)
    def certificate(lane: int) -> Response:
        """The certificate of a closed lot, signed by this box; `takt certificate verify` checks it anywhere.

        Refused (409) while the lot is open or parts of it are in flight.
        """
        from app.web.reports.certificate import certified  # noqa: PLC0415
        from app.web.reports.pdf import draw_certificate  # noqa: PLC0415

        known, who, signer = account(lane), somebody().name, Signer.of(context.state)
        _check_closed(known.lot)
        drawn = draw_certificate(known, texts(), _causes(known), signer.name, who)
        content = certified(known, drawn, signer, who)
        chain = {"row": known.chain[0], "hash": known.chain[1].hex()}
        context.audit.write(who, "reports.certificate", f"lane {lane}, lot {known.lot.lot}", None, chain)
        return _file(content, PDF, f"certificate-{known.lot.lot}.pdf")

    @reports.get("/api/v1/signing-key.pem")
    @documented(errors=(503,), media="application/x-pem-file")
    def signing_key() -> Response:
        """The public key of this box, by which others check its certificates."""
        return _file(Signer.of(context.state).public_pem(), "application/x-pem-file", "takt-signing-key.pem")


def _add_export(reports: Blueprint, context: Context, review: ReviewDesk) -> None:
    turns = threading.BoundedSemaphore(_EXPORTS)

    @reports.get("/api/v1/export.zip")
    @documented(query=ExportQuery, errors=(503,), media=ZIP)
    def export() -> Response:
        """Parts of the queue with their pictures, as a ZIP file that is written while it is read.

        Nothing is kept on the box. Pictures that are gone are listed in `gone.csv`. Two exports run at a time.
        """
        wanted, who = asked(ExportQuery), somebody().name
        if not turns.acquire(blocking=False):
            raise RefusedError(503, f"{_EXPORTS} exports are under way", "wait until one is done", retry_s=30)
        try:
            chosen = wanted.model_dump(exclude_none=True, by_alias=True, mode="json")
            context.audit.write(who, "reports.export", wanted.form, None, chosen)
            keys = wanted.keys or chosen_keys(review.queue, wanted)
            items = items_of(context.records, review.labels, context.state / PICTURES, keys)
            body = Apart(zipped(items, wanted.form), turns)
        except BaseException:
            turns.release()
            raise
        answer = Response(body, mimetype=ZIP, direct_passthrough=True)
        answer.headers["Content-Disposition"] = f'attachment; filename="takt-{wanted.form}.zip"'
        answer.headers["X-Accel-Buffering"] = "no"
        return answer


def _check_closed(lot: LotRecord) -> None:
    if lot.closed is None or lot.tally.in_flight:
        raise RefusedError(
            409,
            f"lot {lot.lot!r} is not done: it is open, or parts of it are in flight",
            "close the lot, and wait until its last part has its outcome",
        )


def _causes(known: LotAccount) -> dict[str, str]:
    return {cause: words_of_cause(cause) for cause in known.causes}


def _file(content: bytes, kind: str, name: str) -> Response:
    answer = Response(content, mimetype=kind)
    plain = _UNSAFE.sub("_", name)
    answer.headers["Content-Disposition"] = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return answer
