"""Validates an answer of rtmp_stat against docs/stat.schema.json, and that all it tells is there.

Usage: check.py ANSWER
"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator

SCHEMA = pathlib.Path(__file__).parents[2] / "docs" / "stat.schema.json"


def only_what_is_described(schema):
    """Later releases may tell more; this one must tell no more than it describes."""
    for part in [schema, *schema["$defs"].values()]:
        part["additionalProperties"] = False
    return schema


def main(answer):
    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(only_what_is_described(schema))
    errors = list(validator.iter_errors(json.loads(pathlib.Path(answer).read_text())))
    for error in errors:
        print(f"{error.json_path}: {error.message}")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
