"""Records that another partitioner placed: they are stored rightly, but the order within their company is lost."""

import time
from collections import OrderedDict

import structlog

from vigie import metrics
from vigie.log import PARTITIONS, Batch, Record
from vigie.log.partition import partition_of

logger = structlog.get_logger(__name__)

_REPEAT_SECONDS = 3_600.0
_MAX_KEYS = 1_000
_ADVICE = "let its producer use the company's id as key, and the partitioner murmur2"


class MisplacedRecords:
    """Counts the records that lie in another partition than Vigie would use, and logs each key once an hour.

    A key is any producer's own text, so the log names the record by its offset.
    """

    def __init__(self) -> None:
        self._logged_at: OrderedDict[bytes | None, float] = OrderedDict()

    def note(self, batch: Batch) -> None:
        """Count and log those of a batch that was stored."""
        for record in batch.records:
            expected = None if record.key is None else partition_of(record.key, PARTITIONS)
            if not record.unreadable and expected != batch.source.number:
                metrics.misplaced_records.inc()
                self._log(batch, record, expected)

    def _log(self, batch: Batch, record: Record, expected: int | None) -> None:
        now = time.monotonic()
        logged_at = self._logged_at.get(record.key, float("-inf"))
        if now - logged_at < _REPEAT_SECONDS:
            return
        self._logged_at[record.key] = now
        self._logged_at.move_to_end(record.key)
        if len(self._logged_at) > _MAX_KEYS:
            self._logged_at.popitem(last=False)
        logger.warning(
            "misplaced_record",
            topic=batch.source.topic,
            partition=batch.source.number,
            offset=record.offset,
            expected=expected,
            advice=_ADVICE,
        )
