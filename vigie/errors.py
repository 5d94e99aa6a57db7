"""One root for the errors that Vigie raises on purpose. Each says whether trying again can help."""


class VigieError(Exception):
    """Its message is one line that a user can act on."""

    permanent = True


class SettingsError(VigieError):
    """A setting is missing or wrong."""


class NotFoundError(VigieError):
    """What was named does not exist, or belongs to somebody else."""


class InvalidInputError(VigieError):
    """What was given cannot be used, whoever gave it."""


class TooManyError(InvalidInputError):
    """A limit of a day is reached: the same is possible later."""


class UndecodableError(VigieError):
    """A record of the log is not one of our events."""


class SourceError(VigieError):
    """A source gave nothing usable; the message is for its owner.

    `retry_after` is in seconds, when the source asked for a pause.
    """

    def __init__(self, message: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after = retry_after


class UnavailableError(VigieError):
    """A server of ours (log, database, mail) does not answer now."""

    permanent = False


class PositionError(VigieError):
    """The stored position and the log contradict one another."""


class RepeatedFailureError(VigieError):
    """The handler fails alike on the records of several companies: the fault is in the handler, not in a record."""
