"""Pages that people print: one plain style, everything escaped, nothing fetched, none of the marks of NHS or GOV.UK.

They must never be taken for an official page: each says who made it, and SIMULATED when that is what it is.
"""

import os
import threading
from html import escape
from pathlib import Path

STYLE = """
:root { color-scheme: light }
* { box-sizing: border-box }
body { margin: 0; background: #fff; color: #0b0c0c; font: 16px/1.45 "Segoe UI", "Helvetica Neue", "Liberation Sans",
  Arial, sans-serif }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1.5rem 3rem }
h1 { font-size: 1.9rem; line-height: 1.2; margin: .2rem 0 1rem }
h2 { font-size: 1.3rem; margin: 2rem 0 .4rem; break-after: avoid }
p { margin: .4rem 0; max-width: 46rem }
.made { color: #484949; font-size: .9rem; margin: 0 }
.quiet { color: #484949; font-size: .9rem }
.simulated { background: #0b0c0c; color: #fff; font-weight: 700; letter-spacing: .06em; text-align: center;
  padding: .5rem 1rem }
.panel { border: 2px solid #0b0c0c; border-left-width: 10px; padding: .7rem 1rem; margin: 0 0 1.2rem }
.panel strong { display: block; font-size: 1.3rem }
.good { border-color: #1d5f3a } .look { border-color: #8a5a00 } .bad { border-color: #a51c10 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; margin: 0 }
dt { font-weight: 600 } dd { margin: 0 }
table { border-collapse: collapse; width: 100%; table-layout: fixed; margin: .3rem 0 .2rem }
caption { text-align: left; padding: 0 0 .3rem }
th, td { text-align: left; vertical-align: top; padding: .42rem .8rem .42rem 0; border-bottom: 1px solid #b1b4b6 }
thead th { border-bottom: 2px solid #0b0c0c; font-size: .9rem }
tbody th { font-weight: 400 }
tr { break-inside: avoid }
.narrow { width: 5rem } .middle { width: 18rem }
.figure { width: 7rem; padding-right: 1.6rem; text-align: right; font-variant-numeric: tabular-nums;
  font-weight: 700; white-space: nowrap }
.split { font-size: .9rem; font-weight: 400; color: #484949 }
.hash { font: .82rem/1.4 ui-monospace, "Cascadia Mono", "Liberation Mono", monospace; overflow-wrap: anywhere }
@media (max-width: 40rem) { main { padding: 1rem .9rem 2rem } dl { grid-template-columns: 1fr }
  dd { margin-bottom: .4rem; overflow-wrap: anywhere } table { table-layout: auto; font-size: .85rem }
  th, td { padding-right: .4rem; overflow-wrap: anywhere }
  .narrow, .middle, .figure { width: auto; padding-right: .4rem }
  thead th { overflow-wrap: normal; hyphens: auto } }
@media print {
  @page { size: A4; margin: 12mm 14mm }
  html { font-size: 9.5pt } body { font-size: 1rem; line-height: 1.3 } main { max-width: none; padding: 0 }
  thead { display: table-header-group } table { break-inside: avoid }
  h1 { margin: .1rem 0 .6rem } h2 { margin: .9rem 0 .15rem } .panel { padding: .4rem .8rem; margin: 0 0 .7rem }
  th, td { padding-top: .18rem; padding-bottom: .18rem } dl { gap: .1rem 1.5rem }
  .narrow { width: 4.6rem } .middle { width: 14rem } .made { max-width: none }
  .simulated { border: 2px solid #0b0c0c; padding: .3rem; print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
"""

_SPELT = {"covid": "COVID-19", "noncare": "non-care", "vax": "vaccinated,", "poc": "packages of care", "ypd": "YPD:"}


def page(title: str, body: str, *, simulated: bool, style: str = "") -> str:
    """Give a whole HTML page; `body` is HTML that was made with `text`."""
    stamp = "SIMULATED: not a real return"
    above = f'<header class="simulated">{stamp}</header>' if simulated else ""
    below = f'<footer class="simulated">{stamp}</footer>' if simulated else ""
    return (
        '<!doctype html>\n<html lang="en-GB"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{text(('SIMULATED: ' if simulated else '') + title)}</title><style>{STYLE}{style}</style></head>\n"
        f"<body>{above}<main>\n{body}\n</main>{below}</body></html>\n"
    )


def text(words: object) -> str:
    """Escape anything for HTML text and attributes."""
    return escape(str(words), quote=True)


def in_words(code: str) -> str:
    """Give a closed code as words, for example `general_residential` as `General residential`."""
    words = code.removeprefix("ch_").removeprefix("hc_").split("_")
    return sentence(" ".join(_SPELT.get(w, w) for w in words))


def sentence(words: str) -> str:
    """Begin with a capital letter."""
    return words[:1].upper() + words[1:]


def listed(pairs: list[tuple[str, str]]) -> str:
    """Give a list of names and values; the values are HTML, those that are empty are left out."""
    return "<dl>" + "".join(f"<dt>{text(n)}</dt><dd>{v}</dd>" for n, v in pairs if v) + "</dl>"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file for its owner alone, whole or not at all.  Raises OSError."""
    os.replace(_aside(path, content), path)


def write_once(path: Path, content: bytes) -> bytes:
    """Write a file unless there is one, and give what then stands there: of several who try at once, one wins.

    Raises OSError.
    """
    aside = _aside(path, content)
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    return path.read_bytes()


def _aside(path: Path, content: bytes) -> Path:
    """Write the content, durably, into a file beside the one that is meant."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Threads of one process write the same file too: each has its own aside.
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return aside
