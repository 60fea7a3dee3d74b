"""A document of sections, and how it is written as HTML and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from visionllm_interaction import __version__
from visionllm_interaction.reports.html_base import render_template
from visionllm_interaction.utils.atomic_files import write_file


@dataclass(frozen=True)
class ReportTable:
    """A table: names of the columns, and rows of texts."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class ReportSection:
    """A section: a title, paragraphs, and below them tables, charts (SVG) and commands, as far as there are any."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[ReportTable, ...] = ()
    charts: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReportDocument:
    """A whole report."""

    title: str
    intro: str
    sections: tuple[ReportSection, ...]


def write_html(path: Path, document: ReportDocument) -> None:
    """Write one HTML file that refers to nothing outside itself."""
    sections = [(section, [Markup(chart) for chart in section.charts]) for section in document.sections]  # noqa: S704 (our own SVG)
    values = {"document": document, "sections": sections, "version": __version__}
    html = render_template("visionllm_interaction.validity.report", "study_report.html.j2", values)
    write_file(path, html.encode())


def write_markdown(path: Path, document: ReportDocument) -> None:
    """Write Markdown; charts lie in ``NAME_charts/`` beside it."""
    charts = path.parent / f"{path.stem}_charts"
    lines = [f"# {_escaped(document.title)}", "", _escaped(document.intro), ""]
    for number, section in enumerate(document.sections, start=1):
        lines += list(_markdown_section(section, number, charts))
    lines.append(f"Written by visionllm-interaction {__version__}.")
    write_file(path, ("\n".join(lines) + "\n").encode())


def _markdown_section(section: ReportSection, number: int, charts: Path) -> Iterator[str]:
    yield from (f"## {_escaped(section.title)}", "")
    for paragraph in section.paragraphs:
        yield from (_escaped(paragraph), "")
    for table in section.tables:
        yield from (*_markdown_table(table), "")
    for at, chart in enumerate(section.charts, start=1):
        name = f"chart_{number}_{at}.svg"
        charts.mkdir(parents=True, exist_ok=True)
        write_file(charts / name, chart.encode())
        yield from (f"![{section.title}]({charts.name}/{name})", "")
    if section.commands:
        yield from ("```console", *section.commands, "```", "")


def _markdown_table(table: ReportTable) -> Iterator[str]:
    yield _row(table.columns)
    yield _row(["---"] * len(table.columns))
    yield from (_row(row) for row in table.rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Names from outside are no markup."""
    return text.replace("<", "&lt;").replace("_", "\\_").replace("*", "\\*").replace("`", "\\`")
