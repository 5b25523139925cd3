#!/usr/bin/env python3
"""Publishes commands to the log: JSON lines on stdin, protobuf on the topic.

Needs scripts/requirements.txt. Example: python3 scripts/publish.py --bootstrap localhost:9094 < commands.jsonl
"""

import argparse
import sys

from confluent_kafka import Producer
from google.protobuf import json_format

import schema


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--bootstrap", default="localhost:9094")
    arguments.add_argument("--prefix", default="partyline", help="of the topics' names")
    options = arguments.parse_args()
    message = schema.message("Command")
    producer = Producer({
        "bootstrap.servers": options.bootstrap,
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",  # as Java clients do: the projector refuses what lies in another partition
    })
    failed = 0

    def report(number, error):
        nonlocal failed
        if error:
            failed += 1
            print(f"line {number}: {error}", file=sys.stderr)

    for number, line in enumerate(sys.stdin, 1):
        try:
            command = json_format.Parse(line, message())
        except json_format.ParseError as error:
            report(number, error)
            continue
        while True:
            try:
                producer.produce(
                    f"{options.prefix}.commands.v1",
                    key=command.business_number,
                    value=command.SerializeToString(),
                    on_delivery=lambda error, _, number=number: report(number, error),
                )
                break
            except BufferError:  # the queue is full: wait until some are acknowledged
                producer.poll(1)
        producer.poll(0)
    producer.flush()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
