"""What somebody else's program sends, signed by Standard Webhooks (standardwebhooks.com)."""

from collections.abc import Mapping

from ingest.source import Unpolled


class Webhook(Unpolled):
    """The source of `POST /api/v1/inbound/{source_id}`: no key of the API, but a signature by the sender's secret."""

    description = "reviews that another program sends, signed: vigie source add COMPANY webhook NAME --option secret=-"
    options: Mapping[str, str] = {"secret": "the sender's signing secret, whsec_…"}
    secrets = frozenset({"secret"})
