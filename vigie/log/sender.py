"""Deliveries whose address is a topic of our own log."""

from vigie.errors import UnavailableError
from vigie.log import EventLog, Message
from vigie.outbox import Delivery, DeliveryError


class TopicSender:
    """Appends a delivery's body; its headers travel with it, but for `key`."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def send(self, delivery: Delivery) -> None:
        headers = tuple((name, value.encode()) for name, value in delivery.headers.items() if name != "key")
        try:
            self._log.append(delivery.address, [Message(delivery.headers.get("key", ""), delivery.body, headers)])
        except UnavailableError as error:
            raise DeliveryError(str(error)) from error
