#!/usr/bin/env python3
"""Prints the rows of one service's view topic as JSON lines, oldest first, as they are committed.

Needs scripts/requirements.txt. Example: python3 scripts/consume.py desk --bootstrap localhost:9094 [--until-end]
"""

import argparse
import json

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

import schema


def as_json(value, field=None):
    """A message as on the command line: proto field names, enum names, 64-bit integers as numbers, no defaults."""
    if hasattr(value, "ListFields"):
        return {field.name: as_json(part, field) for field, part in value.ListFields()}
    if field.enum_type:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    return value if isinstance(value, (str, int, float)) else [as_json(one, field) for one in value]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("service")
    arguments.add_argument("--bootstrap", default="localhost:9094")
    arguments.add_argument("--prefix", default="partyline", help="of the topics' names")
    arguments.add_argument("--until-end", action="store_true", help="stop when everything was read")
    options = arguments.parse_args()
    parse = schema.message("ViewRow").FromString
    topic = f"{options.prefix}.view.{options.service}.v1"
    consumer = Consumer({
        "bootstrap.servers": options.bootstrap,
        "group.id": "unused",  # librdkafka wants one; partitions are assigned by hand and nothing is committed
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
    })
    reading = set(consumer.list_topics(topic, timeout=30).topics[topic].partitions)
    if not reading:
        raise SystemExit(f"there is no topic {topic}")
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in reading])
    while reading or not options.until_end:
        record = consumer.poll(1)
        if record is None:
            continue
        if not record.error():
            line = {"partition": record.partition(), "key": record.key().decode()} | as_json(parse(record.value()))
            print(json.dumps(line, ensure_ascii=False), flush=True)
        elif record.error().code() == KafkaError._PARTITION_EOF:
            reading.discard(record.partition())
        else:
            raise SystemExit(f"{topic}: {record.error()}")
    consumer.close()


if __name__ == "__main__":
    main()
