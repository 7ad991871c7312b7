"""Write a report as one self-contained HTML page with its style and plots."""

import html
from collections.abc import Iterator
from pathlib import Path

from facegroup.errors import MalformedRequest
from facegroup.evaluation.report import Plot, Report, Table

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif;
  color: #1c2430; background: #eef1f5; margin: 0; }
main { max-width: 60rem; margin: 2rem auto; background: #fff; padding: 2.5rem 3rem; border-radius: 12px;
  box-shadow: 0 1px 4px #0002; }
h1 { font-size: 1.55rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 .6rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0; font-size: .92rem; }
dt { color: #5a6675; }
dd { margin: 0; overflow-wrap: anywhere; }
.headline { font-size: 1.2rem; background: #e8f1fb; border-left: 5px solid #1f6fb5; padding: .9rem 1.2rem;
  margin: 1.6rem 0 0; border-radius: 4px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .7rem; text-align: right; border-bottom: 1px solid #dde3ea; }
th { border-bottom: 2px solid #b9c4d0; font-weight: 600; color: #404b59; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; white-space: nowrap; }
p.reading { color: #5a6675; font-size: .92rem; margin: .5rem 0 0; }
figure { margin: 0; }
figure svg { width: 100%; height: auto; display: block; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(24rem, 1fr)); gap: 0 2rem; }
details { margin: .4rem 0; font-size: .92rem; }
summary { cursor: pointer; }
details ul { columns: 2; font-size: .82rem; overflow-wrap: anywhere; }
footer { margin-top: 2.5rem; color: #5a6675; font-size: .82rem; }
@media print {
  body { background: #fff; }
  main { box-shadow: none; margin: 0; padding: 0; max-width: none; }
  h2, figure { break-inside: avoid; }
}
@media (max-width: 40rem) {
  main { margin: 0; padding: 1.2rem; border-radius: 0; }
  .plots { display: block; }
}
"""


def page(report: Report) -> str:
    """Return the page."""
    subject = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in report.subject)
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        f"<dl>{subject}</dl>",
        f'<p class="headline">{escape(report.headline)}</p>',
        *map(_table, report.tables),
        '<div class="plots">' if report.plots else "",
        *map(_plot, report.plots),
        "</div>" if report.plots else "",
        *_listed(report),
        "<footer>Intervals are 95 % intervals. This sheet names files but shows no photos, so you can share it if you can "
        "share the file names.</footer>",
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head>\n<body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def write(report: Report, path: Path) -> None:
    """Write the page to a file.

    Raises:
        MalformedRequest: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(report), "utf-8", errors="replace")
    except OSError as error:
        raise MalformedRequest(f"{path} cannot be written: {error.strerror}.") from error


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f'<section><h2>{escape(table.title)}</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_reading(table.reading)}</section>"
    )


def _plot(plot: Plot) -> str:
    return f"<figure><h2>{escape(plot.title)}</h2>{plot.svg}{_reading(plot.reading)}</figure>"


def _listed(report: Report) -> Iterator[str]:
    if report.listed:
        yield "<h2>Unused files, and results to check</h2>"
    for heading, items in report.listed.items():
        each = "".join(f"<li>{escape(item)}</li>" for item in items)
        yield f"<details><summary>{escape(heading)}: {len(items)}</summary><ul>{each}</ul></details>"


def _reading(text: str) -> str:
    return f'<p class="reading">{escape(text)}</p>' if text else ""


def escape(text: str) -> str:
    """Escape text for HTML, with a no-break space between a number and its per cent sign."""
    return html.escape(text).replace(" %", "\u00a0%")
