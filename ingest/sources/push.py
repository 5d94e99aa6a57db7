"""What a firm's own programs send to the API."""

from ingest.source import Unpolled


class Push(Unpolled):
    """The source of `POST /api/v1/companies/{id}/mentions`."""

    description = "reviews and mentions that your own programs send to the API"
