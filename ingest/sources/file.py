"""Files that an owner imports: exports of platforms, spreadsheets, mails."""

from ingest.source import Unpolled


class File(Unpolled):
    """The source that an import belongs to."""

    description = "a file that you import (CSV, XLSX, JSON lines, Google Takeout, mails): vigie import COMPANY FILE"
