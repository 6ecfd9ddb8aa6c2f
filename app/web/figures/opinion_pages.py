"""The page of second opinions: asking another model about the line's parts, and both beside each other."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flask import Blueprint, Response, render_template

from app.clock import NS_PER_MS
from app.web.access.present import person, somebody
from app.web.access.refusals import RefusedError
from app.web.access.roles import Role
from app.web.context import Context
from app.web.figures import opinion_answers as answers
from app.web.figures import opinion_job, opinion_shelf, views
from app.web.figures.opinion_job import Errand, OpinionJob, Phase
from app.web.figures.opinion_shelf import OpinionShelf
from app.web.figures.proportions import share
from app.web.figures.truth import accuracy_of, is_bad
from app.web.openapi import asked, documented, sent, told
from app.web.review.opinions import Asked, Opinions, Weighed

_US_PER_MS = 1000


def add_opinions(
    figures: Blueprint, context: Context, job: OpinionJob | None = None, shelf: OpinionShelf | None = None
) -> None:
    """Adds second opinions.

    Args:
        figures: The blueprint.
        context: What they work with.
        job: Asks a model; by default by the command.
        shelf: What can be asked; by default what the command lists.
    """
    place = ["--state", str(context.state)]
    job = job or OpinionJob(opinion_job.PROGRAM, [*place, *_lines(context)], context.clock)
    shelf = shelf or OpinionShelf([*opinion_shelf.PROGRAM, *place], context.clock)
    opinions = Opinions(context.store)
    _add_page(figures, context)
    _add_asking(figures, context, opinions, job, shelf)

    @figures.get("/api/v1/figures/opinions/compare")
    @documented(answer=answers.CompareAnswer, query=answers.CompareQuery, errors=(404, 503))
    def compare_opinions() -> Response:
        """The line's models and another one on the same parts, with what labels say of both."""
        wanted = asked(answers.CompareQuery)
        model = next((each for each in opinions.models() if each.sha256.startswith(wanted.sha256)), None)
        if model is None:
            raise RefusedError(404, "that model was not asked, or its opinions are gone", "ask it, or choose another")
        weighed = opinions.weigh(model.number, wanted.lane, wanted.lot)
        return told(_compared(model, opinions.lots(model.number), weighed))


def _add_page(figures: Blueprint, context: Context) -> None:
    @figures.get("/figures/models")
    def opinion_page() -> str:
        who = person()
        may_ask = who is not None and who.role >= Role.QUALITY
        return render_template("figures/opinions.html", lanes=context.live.lanes, may_ask=may_ask)


def _add_asking(figures: Blueprint, context: Context, opinions: Opinions, job: OpinionJob, shelf: OpinionShelf) -> None:
    def present() -> Response:
        return told(_present(context, opinions, job, shelf))

    @figures.get("/api/v1/figures/opinions")
    @documented(answer=answers.OpinionsAnswer, errors=(503,))
    def opinions_now() -> Response:
        """Which models can be asked for a second opinion, how far the present errand is, and which were asked."""
        return present()

    @figures.post("/api/v1/figures/opinions")
    @documented(answer=answers.OpinionsAnswer, body=answers.Ask, errors=(404, 409, 503))
    def ask_opinion() -> Response:
        """Has another model judge parts whose pictures are kept, beside the line and at low priority. One at a time.

        Parts that it has judged before are passed over, so that what was ended goes on.
        """
        wanted, who = sent(answers.Ask), somebody().name
        choice = shelf.find(wanted.name)
        if choice is None:
            raise RefusedError(404, "there is no such model on this box", "choose one that the page lists")
        errand = Errand(choice.name, choice.title, wanted.lane, wanted.lot or None, wanted.most)
        if not job.start(errand, who):
            raise RefusedError(409, "a model is being asked already", "wait until that has ended, or end it")
        about = wanted.model_dump(exclude={"name"}, exclude_none=True)
        context.audit.write(who, "figures.ask_opinion", choice.title, None, about)
        return present()

    @figures.delete("/api/v1/figures/opinions")
    @documented(answer=answers.OpinionsAnswer, errors=(503,))
    def end_opinion() -> Response:
        """Ends the errand that goes on after its present part; what was judged stays. Idempotent."""
        title = job.last.title
        if job.stop():
            context.audit.write(somebody().name, "figures.end_opinion", title)
        return present()


def _lines(context: Context) -> list[str]:
    return [word for setup in context.setups for word in ("--line", str(setup.path))]


def _present(context: Context, opinions: Opinions, job: OpinionJob, shelf: OpinionShelf) -> answers.OpinionsAnswer:
    shown, last = shelf.look(), job.last
    is_running = last.phase is Phase.RUNNING
    for_ms = (context.clock.now_ns() - last.started_ns) / NS_PER_MS if is_running else last.took_ms
    return answers.OpinionsAnswer(
        choices=None
        if shown.choices is None and not shown.trouble
        else [
            answers.ChoiceRow(
                name=each.name,
                package=each.package,
                version=each.version,
                variant=each.variant,
                active=each.is_active,
            )
            for each in shown.choices or ()
        ],
        trouble=shown.trouble,
        errand=answers.ErrandAnswer(
            phase=last.phase.value,
            title=last.title,
            by=last.by,
            at_ms=last.at_us / _US_PER_MS,
            for_ms=for_ms,
            parts=last.parts,
            done=last.done,
            different=last.different,
            account=None if last.account is None else _account(last.account),
            trouble=last.trouble,
        ),
        asked=[_asked(each) for each in opinions.models()],
    )


def _account(said: Any) -> answers.AccountAnswer:
    names = ("known", "own", "left", "judged", "different", "skipped", "notes")
    return answers.AccountAnswer.model_validate({"sha256": said["onnx_sha256"], **{name: said[name] for name in names}})


def _asked(model: Asked) -> answers.AskedRow:
    names = ("sha256", "package", "version", "variant", "runtime", "parts")
    said = {name: getattr(model, name) for name in names}
    return answers.AskedRow(**said, asked_ms=model.asked_us / _US_PER_MS)


def _compared(model: Asked, lots: list[str], weighed: Weighed) -> answers.CompareAnswer:
    parts: Counter[tuple[bool, bool]] = Counter(weighed.parts)
    return answers.CompareAnswer(
        model=_asked(model),
        lots=lots,
        parts=sum(parts.values()),
        line=_side(weighed, 0),
        other=_side(weighed, 1),
        would_reject=parts[False, True],
        would_pass=parts[True, False],
        elsewhere=weighed.elsewhere,
        unsure=sum(sum(counts.values()) for kind, counts in weighed.labelled.items() if is_bad(kind) is None),
        median_ms=None if weighed.median_us is None else weighed.median_us / _US_PER_MS,
    )


def _side(weighed: Weighed, which: int) -> answers.SideAnswer:
    """How the line (0) or the other model (1) judged them."""
    rejected = sum(count for both, count in weighed.parts.items() if both[which])
    verdicts: Counter[tuple[bool, bool]] = Counter()
    for kind, counts in weighed.labelled.items():
        bad = is_bad(kind)
        if bad is not None:
            for both, count in counts.items():
                verdicts[bad, both[which]] += count
    accuracy = accuracy_of(verdicts.elements())
    return answers.SideAnswer(
        rejected=views.measured(share(rejected, sum(weighed.parts.values()))),
        escapes=views.measured(accuracy.escapes),
        overkill=views.measured(accuracy.overkill),
    )
