"""Validates exchanges with a server against docs/openapi.json.

Usage: check.py EXCHANGES [EXCHANGES...]

An exchange is a line of JSON: method, path (below the API's root, with its query), sent (a body, or
null), status, content_type and body. Prints what is wrong, and which operations were not called.
"""

import json
import pathlib
import re
import sys
from urllib.parse import parse_qsl, unquote

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DOCS = pathlib.Path(__file__).parents[2] / "docs"
ROOT = (DOCS / "openapi.json").as_uri()


class Description:
    def __init__(self):
        self.text = json.loads((DOCS / "openapi.json").read_text())
        validate(self.text, base_uri=ROOT)
        files = {path.as_uri(): json.loads(path.read_text()) for path in DOCS.glob("*.json")}
        resources = [(uri, Resource(it, DRAFT202012)) for uri, it in files.items()]
        self.registry = Registry().with_resources(resources)
        self.paths = [(self.pattern(path), path) for path in self.text["paths"]]
        self.called = set()

    @staticmethod
    def pattern(path):
        parts = re.split(r"\{(\w+)\}", path)
        parts[::2] = map(re.escape, parts[::2])
        parts[1::2] = (f"(?P<{name}>[^/]*)" for name in parts[1::2])
        return re.compile("".join(parts))

    def resolve(self, node):
        if "$ref" not in node:
            return node
        return self.registry.resolver(ROOT).lookup(node["$ref"]).contents

    def errors(self, value, schema, *pointer):
        # Relative to the file, in which the references of the schema are.
        at = "".join("/" + str(it).replace("~", "~0").replace("/", "~1") for it in pointer)
        schema = {"$ref": f"{ROOT}#{at}"} if pointer else schema
        validator = OAS31Validator(schema, registry=self.registry)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def check(self, exchange):
        path, _, query = exchange["path"].partition("?")
        method = exchange["method"].lower()
        found = [(match, name) for it, name in self.paths if (match := it.fullmatch(path or "/"))]
        if not found:
            return [] if exchange["status"] == 404 else ["no such path"]
        match, name = found[0]
        item = self.text["paths"][name]
        if method not in item:
            return [] if exchange["status"] == 405 else [f"no such method, status {exchange['status']}"]
        self.called.add(item[method]["operationId"])
        wrong = self.check_response(exchange, ["paths", name, method])
        if exchange["status"] < 300:
            parameters = item.get("parameters", []) + item[method].get("parameters", [])
            wrong += self.check_parameters(parameters, match.groupdict(), query)
            wrong += self.check_request(exchange, ["paths", name, method, "requestBody"])
        return wrong

    def check_parameters(self, parameters, in_path, query):
        wrong, given = [], dict(parse_qsl(query, keep_blank_values=True))
        for parameter in map(self.resolve, parameters):
            values = in_path if parameter["in"] == "path" else given
            value = values.pop(parameter["name"], None)
            if value is not None:
                value = unquote(value)
                kind = parameter["schema"]["type"]
                value = value if kind == "string" else json.loads(value)
                wrong += self.errors(value, parameter["schema"])
        return wrong + [f"argument {name} is not described" for name in given | in_path]

    def check_request(self, exchange, pointer):
        operation = self.text["paths"][pointer[1]][pointer[2]]
        if "requestBody" not in operation:
            return [] if not exchange["sent"] else ["a body that is not described"]
        body = json.loads(exchange["sent"])
        return self.errors(body, None, *pointer, "content", "application/json", "schema")

    def check_response(self, exchange, pointer):
        status = str(exchange["status"])
        responses = self.text["paths"][pointer[1]][pointer[2]]["responses"]
        if status not in responses:
            return [f"status {status} is not described"]
        response = self.resolve(responses[status])
        if "content" not in response:
            return [] if exchange["body"] is None else ["a body that is not described"]
        if exchange["content_type"] not in response["content"]:
            return [f"type {exchange['content_type']} is not described"]
        if "$ref" in responses[status]:
            pointer = responses[status]["$ref"].removeprefix("#/").split("/")
        else:
            pointer = pointer + ["responses", status]
        content = [*pointer, "content", exchange["content_type"], "schema"]
        return self.errors(exchange["body"], None, *content)

    def operations(self):
        for item in self.text["paths"].values():
            for method, operation in item.items():
                if method != "parameters":
                    yield operation["operationId"]


def main(files):
    description, failed = Description(), False
    for file in files:
        for line in pathlib.Path(file).read_text().splitlines():
            exchange = json.loads(line)
            for wrong in description.check(exchange):
                print(f"{exchange['method']} {exchange['path']} -> {exchange['status']}: {wrong}")
                failed = True
    for operation in sorted(set(description.operations()) - description.called):
        print(f"not called: {operation}")
    sys.exit(failed)


main(sys.argv[1:])
