"""People of every role, and machines, for tests: added to the store and signed in."""

from __future__ import annotations

from app.web.access.roles import Role

PASSWORD = "correct horse battery"
PIN = "402975"


def add_person(context, name, role=Role.OPERATOR, *, pin=PIN, password=PASSWORD):
    """Somebody with a PIN and a password."""
    return context.access.people.add(name, role, by="test", pin=pin, password=password)


def sign_in(client, context, role=Role.OPERATOR, name="", *, by="password"):
    """Signs somebody of a role in, who is added where they are not there yet.

    Returns:
        The headers that their commands carry.
    """
    name = name or f"{role.word} one"
    if context.access.people.find(name) is None:
        add_person(context, name, role)
    secret = {by: PIN if by == "pin" else PASSWORD}
    answer = client.post("/api/v1/session", json={"name": name, **secret})
    assert answer.status_code == 200, answer.text
    return {"X-CSRF": answer.json["csrf"], "Content-Type": "application/json"}


def machine(context, *scopes, days=1):
    """The headers of a machine."""
    token, _ = context.access.tokens.make("press", scopes, days, by="test")
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
