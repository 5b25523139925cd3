"""What tests do to a Kafka that an operator, or an accident, might: python3 admin.py BOOTSTRAP VERB ARGUMENT..."""

import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

DEADLINE_S = 60


def settled(admin, ask):
    """Asks until the brokers agree: a group that somebody has just left is not empty at once."""
    deadline = time.monotonic() + DEADLINE_S
    passing = {KafkaError.NON_EMPTY_GROUP, KafkaError.UNKNOWN_MEMBER_ID, KafkaError._TIMED_OUT}
    while True:
        try:
            return [future.result() for future in ask().values()]
        except KafkaException as error:
            if error.args[0].code() not in passing or time.monotonic() > deadline:
                raise
            admin.poll(0.1)


def trim(admin, topic, partition, offset):
    """Deletes the records below an offset."""
    settled(admin, lambda: admin.delete_records([TopicPartition(topic, int(partition), int(offset))]))


def delete(admin, topic):
    """Deletes a topic, and waits until nobody knows it."""
    settled(admin, lambda: admin.delete_topics([topic], operation_timeout=DEADLINE_S))
    deadline = time.monotonic() + DEADLINE_S
    while topic in admin.list_topics(timeout=DEADLINE_S).topics:
        if time.monotonic() > deadline:
            raise SystemExit(f"{topic} is still there")
        admin.poll(0.1)


def forget(admin, group):
    """Deletes a group's positions, as their expiry does."""
    settled(admin, lambda: admin.delete_consumer_groups([group]))


def position(admin, group, topic, partition, offset):
    """Sets a group's position."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        at = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, int(partition), int(offset))])
        done = settled(admin, lambda: admin.alter_consumer_group_offsets([at]))
        errors = [one.error for group in done for one in group.topic_partitions if one.error]
        if not errors:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"{group}: {errors}")
        admin.poll(0.1)


def dump(bootstrap, topic):
    """Prints every record of a topic, aborted ones too: key, value and headers in hexadecimal, a line each."""
    consumer = Consumer({
        "bootstrap.servers": bootstrap,
        "group.id": "unused",
        "isolation.level": "read_uncommitted",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    })
    reading = set(consumer.list_topics(topic, timeout=DEADLINE_S).topics[topic].partitions)
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in reading])
    while reading:
        record = consumer.poll(DEADLINE_S)
        if record is None:
            raise SystemExit(f"{topic} has no end")
        if not record.error():
            headers = [part for name, value in record.headers() or [] for part in (name.encode(), value)]
            print(*((part or b"").hex() or "-" for part in [record.key(), record.value(), *headers]))
        elif record.error().code() == KafkaError._PARTITION_EOF:
            reading.discard(record.partition())
        else:
            raise SystemExit(f"{topic}: {record.error()}")
    consumer.close()


def main():
    bootstrap, verb, *arguments = sys.argv[1:]
    if verb == "dump":
        return dump(bootstrap, *arguments)
    verbs = {"trim": trim, "delete": delete, "forget": forget, "position": position}
    verbs[verb](AdminClient({"bootstrap.servers": bootstrap}), *arguments)


if __name__ == "__main__":
    main()
