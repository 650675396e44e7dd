"""Tables of posts in all their forms, and what the source reads from them."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.data.schema import LEFT_OUT_TYPES
from pipeline.sources.base import CrawlTask
from pipeline.sources.table.source import TableSource
from tests.support.source_examples import TABLE

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


def configured(**changes: object) -> TableSource:
    """A plain table with some settings changed."""
    return TableSource.model_validate(TABLE | changes)


def read_posts(source: TableSource, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The posts of a table in `folder`, and what is left out."""
    crawled = source.read_posts(CrawlTask(folder, folder / "out", folder / "work"))
    return crawled.posts, crawled.left_out


def read(folder: Path, text: str | bytes, file: str = "posts.csv", **changes: object) -> tuple[list, list]:
    """The posts of a table written into `folder`, and what is left out, without details."""
    (folder / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    posts, left_out = read_posts(configured(files=[file], **changes), folder)
    return posts.rows(), left_out.select(*LEFT_OUT_TYPES).rows()


def tags_of(folder: Path, text: str | bytes, file: str = "posts.csv", **changes: object) -> list[list[str]]:
    """The tags of each post of such a table."""
    posts, _ = read(folder, text, file, **changes)
    return [tags for _, _, tags, *_ in posts]


def write_spreadsheet(path: Path, *sheets: Sequence[Sequence[str | float | None]]) -> None:
    """Writes an XLSX file with the cells of some sheets: text, numbers, or nothing."""

    def cell(value: str | float | None) -> str:
        if value is None:
            return "<c/>"
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    numbers = range(1, len(sheets) + 1)
    names = "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    links = "".join(
        f'<Relationship Id="rId{n}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
    )
    book = f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    types = (
        '<Default Extension="xml" ContentType="application/xml"/>'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types">{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{book}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{names}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>',
    }
    for number, rows in zip(numbers, sheets, strict=True):
        cells = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
        parts[f"xl/worksheets/sheet{number}.xml"] = (
            f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'
        )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, f'<?xml version="1.0"?>{content}')
