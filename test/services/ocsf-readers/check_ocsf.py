"""Checks published OCSF files: check_ocsf.py TARGET VERSION FACTS. Prints one JSON document."""

import glob
import json
import sys
from collections import Counter

import duckdb
import polars
import pyarrow.parquet as parquet
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

target, version, facts_path = sys.argv[1:4]
published = get_ocsf_schema(version=version)
schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version))
NAMES = {entry["uid"]: name for name, entry in published["classes"].items()}
validators = {}
faults = Counter()
classes = Counter()
counts = []


def plain(value):
    """Without what is NULL: to OCSF an attribute is there or not."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items() if member is not None}
    return [plain(element) for element in value] if isinstance(value, list) else value


def validator_of(event):
    key = (event["class_uid"], tuple(event["metadata"].get("profiles", [])))
    if key not in validators:
        validators[key] = Draft202012Validator(schemas.get_class_schema(NAMES[key[0]], list(key[1])))
    return validators[key]


for path in sorted(glob.glob(f"{target}/**/*.parquet", recursive=True)):
    file = parquet.ParquetFile(path)
    leaves = [file.schema.column(index).path for index in range(len(file.schema))]
    wrong = [leaf for leaf in leaves if ".list." in leaf and ".list.element" not in leaf]
    if wrong:
        faults[f"{path}: lists without three levels: {wrong}"] += 1
    table = file.read()
    times = table.column("time").to_pylist()
    if times != sorted(times):
        faults[f"{path}: not sorted by time"] += 1
    rows = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
    by_duckdb = duckdb.sql(f"select count(*), count(metadata.uid) from read_parquet('{path}')").fetchall()[0]
    by_polars = polars.read_parquet(path, hive_partitioning=False).height
    counts.append([table.num_rows, sum(rows), *by_duckdb, by_polars])
    for row in table.to_pylist():
        if row["unmapped"] is not None:
            row["unmapped"] = dict(row["unmapped"])
        event = plain(row)
        classes[str(event["class_uid"])] += 1
        for error in validator_of(event).iter_errors(event):
            where = ".".join("[]" if isinstance(part, int) else str(part) for part in error.absolute_path)
            faults[f"{event['class_uid']} {where}: {error.validator} {error.message[:120]}"] += 1


def shape_faults(name, own, found):
    """What the facts of the project say otherwise than the published schema."""
    for attribute in own["attributes"]:
        at = f"{name}.{attribute['name']}"
        theirs = found["attributes"].get(attribute["name"])
        if theirs is None:
            yield f"{at} does not exist"
            continue
        kind = theirs.get("object_type") or theirs["type"]
        if attribute["type"] not in (kind, "object" if kind in ("object_t", "object") else None):
            yield f"{at} is {kind}"
        if attribute["isList"] != bool(theirs.get("is_array")):
            yield f"{at} is a list, or not"
        profiles = theirs.get("profiles") or ([theirs["profile"]] if theirs.get("profile") else [])
        if (attribute["profile"] is None) != (len(profiles) == 0) or attribute["profile"] not in [None, *profiles]:
            yield f"{at} has the profiles {profiles}"
        if attribute["isRequired"] != (theirs["requirement"] == "required"):
            yield f"{at} is {theirs['requirement']}"
        for number, caption in (attribute["ids"] or {}).items():
            if (theirs.get("enum") or {}).get(number, {}).get("caption") != caption:
                yield f"{at} has no id {number} {caption}"
    known = {attribute["name"] for attribute in own["attributes"]}
    for key, theirs in found["attributes"].items():
        of_profile = theirs.get("profiles") or theirs.get("profile")
        if theirs["requirement"] == "required" and not of_profile and key not in known:
            yield f"{name} requires {key}"
    rule = (found.get("constraints") or {}).get("at_least_one", [])
    if bool(rule) != bool(own["atLeastOne"]) or any(one not in rule for one in own["atLeastOne"]):
        yield f"{name} needs one of {rule}"


facts = json.load(open(facts_path))
wrong_facts = []
for kind in ("classes", "objects"):
    for name, own in facts[kind].items():
        entry = published[kind].get(name) or (published.get("base_event") if name == "base_event" else None)
        wrong_facts += [f"{name} does not exist"] if entry is None else shape_faults(name, own, entry)

print(json.dumps({"classes": classes, "faults": faults, "counts": counts, "facts": wrong_facts}))
