"""The JSON of reviews: queue, stories, labels, pictures and saved filters."""

from __future__ import annotations

from flask import Blueprint, Response, abort, send_file

from app.errors import UsageError
from app.record.keys import PartKey
from app.web.access.present import reason, somebody
from app.web.openapi import asked, documented, sent, told
from app.web.review.answers import (
    ChangedPart,
    FilterName,
    FindQuery,
    FoundPart,
    LabelBody,
    LabelsAnswer,
    ManyAnswer,
    ManyBody,
    NeighboursAnswer,
    QueueAnswer,
    RowLabel,
    SavedFilter,
    TakeBackBody,
)
from app.web.review.answers import SavedFilters as SavedFiltersAnswer
from app.web.review.desk import ReviewDesk, key_of
from app.web.review.filters import QueueFilter, QueueQuery
from app.web.review.label import Change, LabelKind, Said
from app.web.review.story import StoryAnswer

_GONE = 410
_API = "/api/v1"
_PART = f"{_API}/parts/<int:lane>/<int:epoch>/<int:part_id>"
_FOR_A_YEAR = "private, max-age=31536000, immutable"


def add_review_api(review: Blueprint, desk: ReviewDesk) -> None:
    """Gives a blueprint the API of reviews.

    Args:
        review: The blueprint, without a prefix.
        desk: What it works with.
    """
    _add_queue(review, desk)
    _add_parts(review, desk)
    _add_labels(review, desk)
    _add_pictures(review, desk)
    _add_filters(review, desk)


def _add_queue(review: Blueprint, desk: ReviewDesk) -> None:
    @review.get(f"{_API}/queue")
    @documented(answer=QueueAnswer, query=QueueQuery, errors=(503,))
    def rows() -> Response:
        """Parts that a person may have to look at, newest first: rejected, flagged, and a sample of what passed."""
        query = asked(QueueQuery)
        found, end = desk.queue.page(query, query.cursor, query.limit)
        total = desk.queue.count(query) if query.after is None else None
        return told(QueueAnswer(rows=found, next=end, total=total))


def _add_parts(review: Blueprint, desk: ReviewDesk) -> None:
    @review.get(f"{_API}/find")
    @documented(answer=FoundPart, query=FindQuery, errors=(404, 503))
    def find() -> Response:
        """The newest part with a number or serial number."""
        found = desk.records.search(asked(FindQuery).words, most=1)
        if not found:
            abort(404)
        return told(FoundPart(key=_text(key_of(found[0]))))

    @review.get(_PART)
    @documented(answer=StoryAnswer, errors=(404, 503))
    def story(lane: int, epoch: int, part_id: int) -> Response:
        """A part from its trigger to its outcome, with its pictures and what judged it."""
        return told(desk.story(desk.part(lane, epoch, part_id)))

    @review.get(f"{_PART}/neighbours")
    @documented(answer=NeighboursAnswer, query=QueueFilter, errors=(404, 503))
    def neighbours(lane: int, epoch: int, part_id: int) -> Response:
        """The parts of a filtered queue beside one; the one itself need not be in it."""
        part = desk.part(lane, epoch, part_id)
        newer, older = desk.queue.neighbours(asked(QueueFilter), key_of(part))
        return told(NeighboursAnswer(newer=newer and _text(newer), older=older and _text(older)))


def _add_labels(review: Blueprint, desk: ReviewDesk) -> None:
    @review.get(f"{_PART}/labels")
    @documented(answer=LabelsAnswer, errors=(404, 503))
    def labels(lane: int, epoch: int, part_id: int) -> Response:
        """What people say of a part."""
        return told(LabelsAnswer.of(desk.labels.part(key_of(desk.part(lane, epoch, part_id)))))

    @review.post(f"{_PART}/labels")
    @documented(answer=LabelsAnswer, body=LabelBody, errors=(404, 409, 503))
    def label(lane: int, epoch: int, part_id: int) -> Response:
        """Says what a part is, in place of what the same person said before. 409: somebody else was quicker."""
        body = sent(LabelBody)
        key = key_of(desk.part(lane, epoch, part_id))
        said = _sensible(body.said())
        return told(LabelsAnswer.of(desk.labels.say(key, somebody().name, said, body.version, reason())))

    @review.delete(f"{_PART}/labels")
    @documented(answer=LabelsAnswer, body=TakeBackBody, errors=(404, 409, 503))
    def take_back(lane: int, epoch: int, part_id: int) -> Response:
        """Takes the own label of a part away. 409: somebody else was quicker."""
        body = sent(TakeBackBody)
        key = key_of(desk.part(lane, epoch, part_id))
        return told(LabelsAnswer.of(desk.labels.take_back(key, somebody().name, body.version, reason())))

    @review.post(f"{_API}/labels")
    @documented(answer=ManyAnswer, body=ManyBody, errors=(503,))
    def label_many() -> Response:
        """Says the same of many parts; those that somebody else has labelled meanwhile stay as they are."""
        body = sent(ManyBody)
        said = None if body.kind is None else _sensible(Said(body.kind, body.class_name))
        wanted = [((each.lane, each.epoch, each.part), each.version) for each in body.parts]
        known = [each for each in wanted if desk.records.part(each[0][2], each[0][1], each[0][0]) is not None]
        done, refused = desk.labels.say_of_many(known, somebody().name, said, reason())
        missing = [_text(key) for key, _ in wanted if key not in {each for each, _ in known}]
        changed = [_changed(key, what) for key, what in done.items()]
        return told(ManyAnswer(done=changed, refused=[*map(_text, refused), *missing]))


def _add_pictures(review: Blueprint, desk: ReviewDesk) -> None:
    @review.get(f"{_API}/pictures/<int:number>")
    @documented(errors=(404, 410, 503), media="image/png")
    def picture(number: int) -> Response:
        """A picture as it was kept. 410: it was deleted by the rules of retention; its part's story says when."""
        found = desk.pictures.find(number) if number < 1 << 63 else None
        if found is None:
            abort(404)
        path = desk.pictures.file(found)
        if path is None:
            abort(_GONE)
        answer = send_file(path, mimetype="image/png", conditional=True, etag=found.sha256)
        answer.headers["Cache-Control"] = _FOR_A_YEAR
        return answer

    @review.get(f"{_API}/pictures/<int:number>/thumb")
    @documented(errors=(404, 410, 503), media="image/jpeg")
    def thumb(number: int) -> Response:
        """A picture, small."""
        found = desk.pictures.find(number) if number < 1 << 63 else None
        if found is None:
            abort(404)
        content = desk.pictures.thumb(found)
        if content is None:
            abort(_GONE)
        return Response(content, mimetype="image/jpeg", headers={"Cache-Control": _FOR_A_YEAR})


def _add_filters(review: Blueprint, desk: ReviewDesk) -> None:
    @review.get(f"{_API}/filters")
    @documented(answer=SavedFiltersAnswer, errors=(503,))
    def filters() -> Response:
        """The own saved filters of the queue."""
        return _filters(desk)

    @review.post(f"{_API}/filters")
    @documented(answer=SavedFiltersAnswer, body=SavedFilter, errors=(503,))
    def save_filter() -> Response:
        """Saves a filter of the queue under a name."""
        body = sent(SavedFilter)
        desk.saved.save(somebody().name, body.name, body.query)
        return _filters(desk)

    @review.delete(f"{_API}/filters")
    @documented(answer=SavedFiltersAnswer, body=FilterName, errors=(503,))
    def forget_filter() -> Response:
        """Deletes a saved filter."""
        desk.saved.forget(somebody().name, sent(FilterName).name)
        return _filters(desk)


def _filters(desk: ReviewDesk) -> Response:
    found = desk.saved.of(somebody().name)
    return told(SavedFiltersAnswer(filters=[SavedFilter(name=name, query=query) for name, query in found]))


def _changed(key: PartKey, change: Change) -> ChangedPart:
    mine, stands = change.mine, change.after.standing
    return ChangedPart(
        key=_text(key),
        version=change.after.version,
        before=mine.kind if mine else None,
        before_class=mine.class_name if mine else "",
        label=RowLabel.of(stands) if stands else None,
    )


def _sensible(said: Said) -> Said:
    if said.kind is LabelKind.OTHER_CLASS and not said.class_name:
        raise UsageError("class: other_class says which class it is in truth", "name the class")
    return said


def _text(key: PartKey) -> str:
    return "-".join(map(str, key))
