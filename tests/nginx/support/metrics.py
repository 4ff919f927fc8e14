"""Reads metrics from standard input with the parser of Prometheus' own client library, and prints them
as JSON: for each family its type and its samples, each a name, labels and a value."""

import json
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

PARSERS = {
    "prometheus": parser.text_string_to_metric_families,
    "openmetrics": openmetrics.text_string_to_metric_families,
}

families = {}
for family in PARSERS[sys.argv[1]](sys.stdin.buffer.read().decode()):
    assert family.name not in families, family.name + " comes twice"
    assert family.documentation, family.name + " is not described"
    samples = [[it.name, it.labels, it.value] for it in family.samples]
    series = [json.dumps(it[:2], sort_keys=True) for it in samples]
    assert len(series) == len(set(series)), family.name + " has a series twice"
    families[family.name] = {"type": family.type, "samples": samples}
json.dump(families, sys.stdout)
