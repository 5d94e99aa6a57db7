"""The topics on Kafka: created and changed by `vigie migrate`, compared with the settings by `vigie doctor`.

Each function takes kafka-python's admin client, which the caller opens and closes, and raises its `KafkaError`.
"""

import base64
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from kafka.admin import ConfigResource
from kafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidReplicationFactorError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from vigie.errors import SettingsError
from vigie.log import PARTITIONS, TOPICS, TopicFault

logger = structlog.get_logger(__name__)

BROKERS_REPLICATION = -1  # Kafka's value for "as the brokers' default.replication.factor says"
SAFE_REPLICATION = 3
SAFE_IN_SYNC = 2  # with three copies one broker may fail, and what was acknowledged stays
MAX_SEGMENT = timedelta(days=1)  # retention drops whole segments, so a record stays that much longer
KAFKAS_SEGMENT = timedelta(days=7)  # the default of `segment.ms`
_LEARNING_SECONDS = 5.0
_NEVER = "-1"
_REFUSED = (TopicAuthorizationFailedError, ClusterAuthorizationFailedError)

Configs = dict[str, str]


@dataclass(frozen=True, slots=True)
class TopicSettings:
    """What the settings ask of the topics; `prefix` stands before each name."""

    prefix: str
    replication: int
    retention: timedelta

    @property
    def names(self) -> list[str]:
        """Return the topics as the cluster names them."""
        return [self.prefix + topic for topic in TOPICS]


def create_missing(admin: Any, settings: TopicSettings) -> None:
    """Create the topics that are missing, and wait until each partition of theirs has a leader.

    Raises `SettingsError` where the user may not, or where there are fewer brokers than copies.
    """
    present = _describe(admin, settings)
    missing = [name for name in settings.names if name not in present]
    if not missing:
        return
    options = {
        "num_partitions": PARTITIONS,
        "replication_factor": settings.replication,
        "configs": _fixed_configs(settings),
    }
    try:
        admin.create_topics(dict.fromkeys(missing, options))
    except TopicAlreadyExistsError:
        logger.info("topics_created_elsewhere")
    except InvalidReplicationFactorError as error:
        factor = f"VIGIE_LOG_URL: replication={settings.replication}"
        if settings.replication == BROKERS_REPLICATION:
            factor = "the brokers' default.replication.factor"
        raise SettingsError(f"{factor} is more than there are brokers") from error
    except _REFUSED as error:
        raise SettingsError(
            f"the topics {', '.join(missing)} are missing, and this user may not create them: create them with "
            f"{PARTITIONS} partitions, or run `vigie migrate` as a user who may"
        ) from error
    admin.wait_for_topics(missing)


def apply_settings(admin: Any, settings: TopicSettings) -> None:
    """Bring partitions, retention and `min.insync.replicas` of the topics to the settings, where the user may.

    What stays different is what `find_faults` tells.
    """
    _wait_until(lambda: len(_describe(admin, settings)) == len(settings.names))
    _add_partitions(admin, settings)
    changes = _find_changes(admin, settings)
    resources = [ConfigResource("TOPIC", name, configs) for name, configs in changes.items()]
    if not resources:
        return
    answers = admin.alter_configs(resources, raise_on_unknown=False)["topic"]
    refused = {name: answer for name, answer in answers.items() if answer != "OK"}
    for name, answer in refused.items():
        logger.warning("topic_not_changed", topic=name, error=answer)
    _wait_until(lambda: _find_changes(admin, settings).keys() <= refused.keys())


def find_faults(admin: Any, settings: TopicSettings) -> list[TopicFault]:
    """Return how the topics differ from the settings, each with the next step; empty where all is well."""
    topics = _describe(admin, settings)
    brokers = len(admin.describe_cluster()["brokers"])
    configs = _read_configs(admin, topics)
    faults = []
    for name in settings.names:
        if name in topics:
            faults += _partition_faults(name, topics[name])
            faults += _replication_faults(name, topics[name], settings, brokers)
            faults += _config_faults(name, configs[name], _required_configs(topics[name], settings))
        else:
            faults.append(TopicFault(f"the topic {name} is missing: run `vigie migrate`"))
    return faults


def read_topic_ids(admin: Any, settings: TopicSettings) -> dict[str, str | None]:
    """Return the UUID of each of our topics that exists, by our name, spelt as Kafka's own tools spell it."""
    topic_ids = {}
    for name, topic in _describe(admin, settings).items():
        inner_name = name.removeprefix(settings.prefix)
        topic_ids[inner_name] = spell_topic_id(topic["topic_id"])
    return topic_ids


def spell_topic_id(topic_id: UUID | str | None) -> str | None:
    """Return the UUID as `kafka-topics.sh` prints it; None where the broker is older than 2.8 and has none."""
    uuid = UUID(str(topic_id or UUID(int=0)))
    return base64.urlsafe_b64encode(uuid.bytes).decode().rstrip("=") if uuid.int else None


def read_longest_stay(admin: Any, settings: TopicSettings) -> timedelta | None:
    """Return how long a record may stay in the topics as they are; None where one of them keeps records for ever.

    A record goes with its segment, `retention.ms` after the segment's newest record, and a segment takes records for
    `segment.ms`. A topic whose configuration may not be read counts as the settings and Kafka's defaults say.
    """
    stays = []
    for configs in _read_configs(admin, settings.names).values():
        assumed = {**_fixed_configs(settings), "segment.ms": _milliseconds(KAFKAS_SEGMENT), **configs}
        is_deleting = "delete" in assumed["cleanup.policy"].split(",")
        if assumed["retention.ms"] == _NEVER or not is_deleting:
            return None
        stay = int(assumed["retention.ms"]) + int(assumed["segment.ms"])
        stays.append(stay)
    return timedelta(milliseconds=max(stays))


def longest_stay_by_settings(settings: TopicSettings) -> timedelta:
    """Return how long a record may stay in topics that `vigie migrate` has brought to the settings."""
    return settings.retention + min(MAX_SEGMENT, settings.retention)


def _add_partitions(admin: Any, settings: TopicSettings) -> None:
    def find_small() -> dict[str, int]:
        topics = _describe(admin, settings)
        return {name: PARTITIONS for name, topic in topics.items() if len(topic["partitions"]) < PARTITIONS}

    if not (small := find_small()):
        return
    try:
        admin.create_partitions(small)
    except _REFUSED as error:
        logger.warning("partitions_not_added", topics=", ".join(small), error=str(error))
        return
    _wait_until(lambda: not find_small())


def _find_changes(admin: Any, settings: TopicSettings) -> dict[str, Configs]:
    """Return the configuration that each topic lacks; topics that lack none are left out."""
    topics = _describe(admin, settings)
    current = _read_configs(admin, topics)
    changes = {}
    for name, topic in topics.items():
        required = _required_configs(topic, settings)
        if lacking := _differing(current[name], required):
            changes[name] = lacking
    return changes


def _wait_until(is_done: Callable[[], bool]) -> None:
    """Give all brokers a few seconds to learn of a change: any of them may be asked next."""
    until = time.monotonic() + _LEARNING_SECONDS
    while not is_done() and time.monotonic() < until:
        time.sleep(0.1)


def _describe(admin: Any, settings: TopicSettings) -> dict[str, Any]:
    """Return Kafka's metadata of our topics that exist, by name. Raises `SettingsError` where it is refused."""
    topics = {topic["name"]: topic for topic in admin.describe_topics(settings.names)}
    for name, topic in topics.items():
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise SettingsError(f"this user may not describe the topic {name}: allow Describe, Read and Write on it")
    missing = UnknownTopicOrPartitionError.errno
    return {name: topic for name, topic in topics.items() if topic["error_code"] != missing}


def _fixed_configs(settings: TopicSettings) -> Configs:
    segment = min(MAX_SEGMENT, settings.retention)
    return {
        "cleanup.policy": "delete",
        "retention.ms": _milliseconds(settings.retention),
        "segment.ms": _milliseconds(segment),
    }


def _required_configs(topic: Any, settings: TopicSettings) -> Configs:
    configs = _fixed_configs(settings)
    if _count_copies(topic) >= SAFE_REPLICATION:
        configs["min.insync.replicas"] = str(SAFE_IN_SYNC)
    return configs


def _differing(current: Mapping[str, str], required: Configs) -> Configs:
    """Return the required configs that the topic lacks; what is stricter than required is left as it is."""
    changes = {}
    for name, value in required.items():
        present = current.get(name)
        is_stricter = present is not None and (
            (name == "min.insync.replicas" and int(present) > int(value))
            or (name == "segment.ms" and int(present) < int(value))
        )
        if present != value and not is_stricter:
            changes[name] = value
    return changes


def _read_configs(admin: Any, names: Iterable[str]) -> dict[str, Configs]:
    """Return each topic's configuration, defaults included; empty where this user may not read it."""
    resources = [ConfigResource("TOPIC", name) for name in names]
    if not resources:
        return {}
    answers = admin.describe_configs(resources, config_filter="all")["topic"]
    return {name: {key: entry["value"] for key, entry in configs.items()} for name, configs in answers.items()}


def _partition_faults(name: str, topic: Any) -> list[TopicFault]:
    partitions = topic["partitions"]
    faults = []
    if len(partitions) < PARTITIONS:
        faults.append(TopicFault(f"{name} has {len(partitions)} partitions, not {PARTITIONS}: run `vigie migrate`"))
    leaderless = sorted(partition["partition_index"] for partition in partitions if partition["leader_id"] < 0)
    if leaderless:
        numbers = ", ".join(map(str, leaderless))
        faults.append(TopicFault(f"{name} has no leader for the partitions {numbers}: start the broker that is down"))
    return faults


def _replication_faults(name: str, topic: Any, settings: TopicSettings, brokers: int) -> list[TopicFault]:
    copies = _count_copies(topic)
    least = min(SAFE_REPLICATION, brokers)
    described = f"{name} has a replication factor of {copies}"
    if settings.replication not in {BROKERS_REPLICATION, copies}:
        reason = f"{described}, VIGIE_LOG_URL says {settings.replication}"
    elif copies < least:
        reason = f"{described} on {brokers} brokers, so that one that fails stops companies"
    else:
        return []
    advice = f"change it with Kafka's kafka-reassign-partitions.sh, to {least} or more"
    return [TopicFault(f"{reason}: {advice}", is_warning=True)]


def _config_faults(name: str, current: Configs, required: Configs) -> list[TopicFault]:
    if not current:
        return [TopicFault(f"{name}: allow DescribeConfigs, so that its retention can be checked", is_warning=True)]
    return [
        TopicFault(f"{name} has {key}={current.get(key)}, not {value}: run `vigie migrate`", is_warning=True)
        for key, value in _differing(current, required).items()
    ]


def _count_copies(topic: Any) -> int:
    """Return the replication factor of the partition that has the fewest copies."""
    return min((len(partition["replica_nodes"]) for partition in topic["partitions"]), default=0)


def _milliseconds(duration: timedelta) -> str:
    return str(int(duration.total_seconds() * 1000))
