# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks manifests against the schema of the Kubernetes API, as far as the client of
Debian has it: the models that are generated from the OpenAPI document of version 1.22."""

import re

from kubernetes.client import models

# Fields of later versions: the model, the field and its type, and the version in which it
# is stable.
NEWER = {
    ("V1JobSpec", "backoffLimitPerIndex"): ("int", "1.33"),
    ("V1JobSpec", "podFailurePolicy"): ("PodFailurePolicy", "1.31"),
    ("PodFailurePolicy", "rules"): ("list[PodFailurePolicyRule]", "1.31"),
    ("PodFailurePolicyRule", "action"): ("str", "1.31"),
    ("PodFailurePolicyRule", "onExitCodes"): ("OnExitCodes", "1.31"),
    ("PodFailurePolicyRule", "onPodConditions"): ("list[OnPodCondition]", "1.31"),
    ("OnExitCodes", "containerName"): ("str", "1.31"),
    ("OnExitCodes", "operator"): ("str", "1.31"),
    ("OnExitCodes", "values"): ("list[int]", "1.31"),
    ("OnPodCondition", "type"): ("str", "1.31"),
    ("OnPodCondition", "status"): ("str", "1.31"),
}
NEWER_MODELS = {model for model, _ in NEWER if not hasattr(models, model)}

# A quantity is a text for the models.
SIMPLE = {"str": str, "int": int, "bool": bool, "datetime": str, "object": object}


def fields(model):
    """The fields of a model, and their types."""
    found = {field: kind for (name, field), (kind, _) in NEWER.items() if name == model}
    if model not in NEWER_MODELS:
        made = getattr(models, model)
        found |= {field: made.openapi_types[name] for name, field in made.attribute_map.items()}
    return found


def check_model(value, model, where):
    assert isinstance(value, dict), f"{where}: not an object"
    known = fields(model)
    for field, inner in value.items():
        assert field in known, f"{where}: {model} has no field {field}"
        check(inner, known[field], f"{where}.{field}")
    if model not in NEWER_MODELS:
        # What is required, and words of which there are few.
        made = getattr(models, model)
        names = {field: name for name, field in made.attribute_map.items()}
        made(**{names[field]: inner for field, inner in value.items() if field in names})


def check(value, kind, where):
    """Assert that a value of a manifest is of a type of the schema."""
    if container := re.fullmatch(r"list\[(.*)\]", kind):
        assert isinstance(value, list), f"{where}: not an array"
        for number, inner in enumerate(value):
            check(inner, container[1], f"{where}[{number}]")
    elif container := re.fullmatch(r"dict\(str, (.*)\)", kind):
        assert isinstance(value, dict), f"{where}: not an object"
        for name, inner in value.items():
            check(inner, container[1], f"{where}.{name}")
    elif kind in SIMPLE:
        assert type(value) is SIMPLE[kind] or kind == "object", f"{where}: not a {kind}: {value!r}"
    else:
        check_model(value, kind, where)


def check_object(manifest):
    """One document of a file."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    assert group in ("", "batch"), manifest["apiVersion"]
    check_model(manifest, f"{version.capitalize()}{manifest['kind']}", manifest["kind"])
