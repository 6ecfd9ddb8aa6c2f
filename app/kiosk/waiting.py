"""What the screen shows while the box's pages do not answer: never a black screen, and never a browser's own error."""

from __future__ import annotations

from urllib.parse import quote

_PAGE = """\
<!doctype html><html lang="en"><meta charset="utf-8"><title>NO DATA</title>
<style>
:root { color-scheme: light dark }
body { margin: 0; height: 100vh; display: grid; place-content: center; justify-items: center; gap: 2vh;
  font: 3.2vmin/1.4 system-ui, sans-serif; text-align: center; background: light-dark(#e3e4e6, #202327);
  color: light-dark(#26292d, #d9dce0) }
svg { width: 18vmin; fill: none; stroke: currentcolor; stroke-width: 2; stroke-linecap: round }
strong { font-size: 7vmin; letter-spacing: .04em }
p { margin: 0 }
</style>
<svg viewBox="0 0 48 48" aria-hidden="true"><rect x="5" y="8" width="38" height="26" rx="2"/>
<path d="M17 41h14M24 34v7M18 15l12 12M30 15l-12 12"/></svg>
<strong>NO DATA &middot; <span lang="de">KEINE DATEN</span></strong>
<p>The pages of this box do not answer. They are waited for.</p>
<p lang="de">Die Seiten dieses Ger&auml;ts antworten nicht. Auf sie wird gewartet.</p>
</html>"""

WAITING = f"data:text/html;charset=utf-8,{quote(_PAGE)}"
"""The page as an address: it needs no server and no file. Both languages, as nobody can say which is wanted."""


def is_waiting(address: str) -> bool:
    """Whether an address is that of this page."""
    return address.startswith("data:text/html;charset=utf-8,")
