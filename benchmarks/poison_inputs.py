"""Hostile inputs of every kind that a stranger may send: mails, pages, feeds and files. All are made here."""

import gzip
import io
import zipfile
from collections.abc import Callable

Inputs = dict[str, bytes]

_MAIL_HEAD = (
    b"From: Trustpilot <noreply.notifications@trustpilot.com>\r\nTo: marie@exemple.fr\r\n"
    b"Subject: You've got a new 5-star review\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n"
)
_NO_BREAK_SPACE = "\u00a0"
_ZERO_WIDTH_SPACE = "\u200b"


def make_mails() -> Inputs:
    """Return raw mails by name; each claims to be a review platform's."""
    plain = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
    bodies = {
        "a sender line without end": "de: " + "a" * 60_000,
        "an open quotation mark and spaces": "«" + _NO_BREAK_SPACE * 1_700 + "x",
        "many open quotation marks": ("«" + _NO_BREAK_SPACE * 300 + "x\n") * 200,
        "a count and spaces": "1" + _NO_BREAK_SPACE * 8_000,
        "quoted lines of nothing": (_ZERO_WIDTH_SPACE * 3 + "\n") * 30_000,
        "signs of quotation": "> " * 40_000,
        "one line of letters": "x" * 99_000,
        "signs of addresses": "@" * 50_000,
        "dots": "." * 90_000,
        "stars": "★" * 60_000,
    }
    mails = {name: _MAIL_HEAD + plain + body.encode() for name, body in bodies.items()}
    multipart = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    mails |= {
        "an unknown character set": _MAIL_HEAD + b"Content-Type: text/plain; charset=undefined\r\n\r\nx",
        "punycode as character set": _MAIL_HEAD + b"Content-Type: text/plain; charset=punycode\r\n\r\n\xff-x-",
        "brackets in a disposition": _MAIL_HEAD
        + multipart
        + b"Content-Disposition: inline"
        + b"(" * 9_000
        + b"\r\n\r\nx",
        "1,200 nested parts": _MAIL_HEAD + _nest_parts(1_200),
        "2,000 nested mails": _MAIL_HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 2_000,
        "20,000 parameters": _MAIL_HEAD + b"Content-Type: text/plain" + b"; a=b" * 20_000 + b"\r\n\r\nx",
        "55,000 attributes in a tag": _MAIL_HEAD
        + b"Content-Type: text/html\r\n\r\n<p "
        + b"".join(b"a%d=1 " % number for number in range(55_000))
        + b">x</p>",
        "20,000 parts": _MAIL_HEAD + multipart + b"\r\nx\r\n--b\r\n" * 20_000,
        "20,000 headers": b"".join(b"X-%d: y\r\n" % number for number in range(20_000)) + _MAIL_HEAD + b"\r\nx",
    }
    return mails


def _nest_parts(depth: int) -> bytes:
    parts = [b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(depth)]
    return b"".join(parts) + b"Content-Type: text/plain\r\n\r\nx"


def make_pages() -> Inputs:
    """Return HTML pages by name."""
    filler = "x" * 1_500_000
    attributes = "".join(f"a{number}=1 " for number in range(400_000))
    item = '<div itemscope itemtype="https://schema.org/Review">'
    return {
        "nested properties": (item + '<span itemprop="reviewBody">' * 1_900 + filler).encode(),
        "a tag with 400,000 attributes": f"<html><p {attributes}>x</p>".encode(),
        "tags with 10,000 attributes each": ("<p " + "b=1 " * 10_000 + ">x</p>").encode() * 200,
        "100,000 nested tags": b"<div>" * 100_000,
        "a million tags": b"<b>x</b>" * 1_000_000,
        "JSON-LD without end": b'<script type="application/ld+json">' + b'{"review":[' * 100_000,
        "JSON-LD of a number without end": b'<script type="application/ld+json">{"ratingValue":'
        + b"9" * 4_000_000
        + b"}",
        "JSON-LD with 200,000 reviews": b'<script type="application/ld+json">{"@type":"Product","review":['
        + b",".join([b'{"@type":"Review","reviewBody":"x","reviewRating":{"ratingValue":1}}'] * 120_000)
        + b"]}</script>",
        "comments without end": b"<!--" * 500_000,
        "entities": b"&amp" * 2_000_000,
        "spaces": b" " * 9_000_000,
        "a text of 9 MB": (item + '<span itemprop="reviewBody">' + "é" * 4_500_000).encode(),
        "50,000 reviews": (item + '<b itemprop="reviewBody">mal</b></div>').encode() * 50_000,
    }


def make_feeds() -> Inputs:
    """Return feeds by name."""
    head = b"<?xml version='1.0'?><rss version='2.0'><channel><title>x</title>"
    entity = b"<!ENTITY a 'ha'>" + b"".join(
        b"<!ENTITY %c '%s'>" % (98 + level, b"&%c;" % (97 + level) * 10) for level in range(9)
    )
    return {
        "nested entities": b"<?xml version='1.0'?><!DOCTYPE r ["
        + entity
        + b"]><rss><channel><title>&j;</title></channel></rss>",
        "100,000 entries": head + b"<item><title>x</title><description>y</description></item>" * 100_000,
        "100,000 nested elements": head + b"<item>" * 100_000,
        "a title of 9 MB": head + b"<item><title>" + b"x" * 9_000_000 + b"</title></item></channel></rss>",
        "a markup of 2 MB in an entry": head
        + b"<item><description>"
        + b"&lt;b&gt;" * 200_000
        + b"</description></item>",
        "attributes": head + b"<item " + b"".join(b"a%d='1' " % number for number in range(100_000)) + b"/>",
        "JSON feed, nested": b'{"version":"https://jsonfeed.org/version/1.1","items":' + b"[" * 200_000,
        "a date of digits": head
        + b"<item><title>x</title><pubDate>"
        + b"1" * 500_000
        + b"</pubDate></item></channel></rss>",
    }


def make_files() -> Inputs:
    """Return files to upload, by file name."""
    cells = b"<row>" + b'<c t="inlineStr"><is><t>x</t></is></c>' * 50 + b"</row>"
    return {
        "styles.xlsx": _make_workbook(styles=b"<xf/>" * 1_200_000),
        "rows.xlsx": _make_workbook(rows=cells * 40_000),
        "strings.xlsx": _make_workbook(strings=(b"<si><t>" + b"x" * 90 + b"</t></si>") * 200_000),
        "wide.csv": b"date;note;avis\n" + b"2026-01-01;5;" + b"x;" * 1_000_000,
        "long.csv": b"date;note;avis\n" + b"2026-01-01;5;bon\n" * 900_000,
        "quote.csv": b'date;note;avis\n2026-01-01;5;"' + b"x\n" * 4_000_000,
        "nuls.csv": b"date;note;avis\n" + b"\0" * 5_000_000,
        "lines.jsonl": b'{"text":"x","rating":5}\n' * 500_000,
        "deep.json": b"[" * 5_000_000,
        "mails.mbox": b"From " + b"1" * 2_000_000,
        "many.mbox": b"From x 2026\nFrom: x@trustpilot.com\n\nx\n\n" * 100_000,
        "bomb.zip": _make_zip({"reviews.json": b" " * 190_000_000}),
        "many.zip": _make_zip({f"{number}.json": b"{}" for number in range(19_000)}),
        "takeout.zip": _make_zip(
            {"reviews.json": b'{"reviews":[{"starRating":"ONE","comment":"' + b" " * 4_000_000 + b'"}]}'}
        ),
    }


def _make_workbook(*, rows: bytes = b"", styles: bytes = b"", strings: bytes = b"") -> bytes:
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    package = b"http://schemas.openxmlformats.org/package/2006"
    office = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml."
    return _make_zip(
        {
            "[Content_Types].xml": b'<Types xmlns="%s/content-types">'
            b'<Override PartName="/xl/workbook.xml" ContentType="%ssheet.main+xml"/>'
            b'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="%sworksheet+xml"/>'
            b'<Override PartName="/xl/styles.xml" ContentType="%sstyles+xml"/>'
            b'<Override PartName="/xl/sharedStrings.xml" ContentType="%ssharedStrings+xml"/></Types>'
            % (package, kind, kind, kind, kind),
            "_rels/.rels": b'<Relationships xmlns="%s/relationships"><Relationship Id="r" Type="%s/officeDocument" '
            b'Target="xl/workbook.xml"/></Relationships>' % (package, office),
            "xl/workbook.xml": b'<workbook xmlns="%s" xmlns:r="%s"><sheets><sheet name="a" sheetId="1" r:id="s"/>'
            b"</sheets></workbook>" % (main, office),
            "xl/_rels/workbook.xml.rels": b'<Relationships xmlns="%s/relationships">'
            b'<Relationship Id="s" Type="%s/worksheet" Target="worksheets/sheet1.xml"/>'
            b'<Relationship Id="t" Type="%s/styles" Target="styles.xml"/>'
            b'<Relationship Id="u" Type="%s/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
            % (package, office, office, office),
            "xl/worksheets/sheet1.xml": b'<worksheet xmlns="%s"><sheetData><row><c t="inlineStr"><is><t>avis</t></is></c>'
            b"</row>%s</sheetData></worksheet>" % (main, rows),
            "xl/styles.xml": b'<styleSheet xmlns="%s"><cellXfs>%s</cellXfs></styleSheet>' % (main, styles),
            "xl/sharedStrings.xml": b'<sst xmlns="%s">%s</sst>' % (main, strings),
        }
    )


def _make_zip(entries: Inputs) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in entries.items():
            archive.writestr(name, body)
    return file.getvalue()


def compress(body: bytes) -> bytes:
    """Return the body as gzip, as a hostile server would send it."""
    return gzip.compress(body, 1)


KINDS: dict[str, Callable[[], Inputs]] = {
    "mail": make_mails,
    "page": make_pages,
    "feed": make_feeds,
    "file": make_files,
}
