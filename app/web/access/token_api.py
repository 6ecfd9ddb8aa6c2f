"""The API of machines' tokens, for admins."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from flask import Blueprint, Response
from pydantic import BaseModel, ConfigDict, Field

from app.web.access.present import reason, somebody
from app.web.access.tokens import MOST_DAYS, Token
from app.web.context import Context
from app.web.openapi import documented, sent, told

Scope = Literal["read", "review", "line"]
TokenName = Annotated[
    str, Field(min_length=1, max_length=40, pattern=r"^[\w .-]+$", description="which machine it is for")
]


class NewToken(BaseModel):
    """A token to be made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: TokenName
    scopes: list[Scope] = Field(min_length=1, max_length=3, description="what it may")
    days: int = Field(ge=1, le=MOST_DAYS, description="it ends after so many")


class OldToken(BaseModel):
    """A token to be ended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[0-9a-f]{12}$", description="its public part")


class TokenAnswer(BaseModel):
    """What is known of a token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    scopes: list[Scope]
    made_by: str
    made_us: int = Field(description="in microseconds since 1970 UTC, as all times")
    expires_us: int
    used_us: int | None = Field(description="last used, to the hour; null: never")
    revoked_us: int | None = Field(description="ended by somebody; null: by nobody")
    is_good: bool = Field(description="it lets its machine in now")


class TokensAnswer(BaseModel):
    """All tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: list[TokenAnswer] = Field(description="the newest first")
    made: str = Field("", description="the new token itself, told this once; empty: none was made")


def add_token_views(access: Blueprint, context: Context) -> None:
    """The views of tokens."""

    @access.get("/api/v1/tokens")
    @documented(answer=TokensAnswer)
    def tokens() -> Response:
        """All tokens, those that have ended too."""
        return told(_answer(context))

    @access.post("/api/v1/tokens/make")
    @documented(answer=TokensAnswer, body=NewToken)
    def make_token() -> Response:
        """Makes a token. It is told in this answer and never again."""
        said = sent(NewToken)
        made, _ = context.access.tokens.make(said.name, said.scopes, said.days, by=somebody().name, reason=reason())
        return told(_answer(context, made))

    @access.post("/api/v1/tokens/revoke")
    @documented(answer=TokensAnswer, body=OldToken)
    def revoke_token() -> Response:
        """Ends a token at once."""
        context.access.tokens.revoke(sent(OldToken).id, by=somebody().name, reason=reason())
        return told(_answer(context))


def _answer(context: Context, made: str = "") -> TokensAnswer:
    known = context.access.tokens
    return TokensAnswer(tokens=[_told(each, is_good=known.is_good(each)) for each in known.all()], made=made)


def _told(token: Token, *, is_good: bool) -> TokenAnswer:
    return TokenAnswer(
        id=token.id,
        name=token.name,
        scopes=[cast("Scope", each) for each in token.scopes],
        made_by=token.made_by,
        made_us=token.made_us,
        expires_us=token.expires_us,
        used_us=token.used_us,
        revoked_us=token.revoked_us,
        is_good=is_good,
    )
