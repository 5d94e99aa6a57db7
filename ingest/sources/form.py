"""The firm's own voice: its public feedback page, and what customers tell its staff."""

from collections.abc import Mapping

from ingest.source import Unpolled


class Form(Unpolled):
    """The public feedback page; its ratings are shown apart from those of public platforms."""

    description = "your own feedback page with its QR code: vigie source add COMPANY form NAME"
    target = "a name, such as the place where its QR code stands"
    options: Mapping[str, str] = {"links": "public review pages that the form names, separated by spaces"}


class Counter(Unpolled):
    """What customers say at the counter, noted by the staff: never a review, without stars, never in the score."""

    description = 'what customers tell your staff ("un client m\'a dit …"), noted in ten seconds'
