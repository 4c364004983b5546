"""Prints as JSON what engines find in the lakes below the current folder, or why they refuse them.

Argument: JSON with the Python `modules` to import, the `calls` that read the table `events` of `lake`, and the
`layouts`, which are the folders that hold a lake, for each time zone. The other tables are read by the same call with
their name in it.
"""

import datetime
import decimal
import hashlib
import importlib
import json
import os
import sys
import time

import pyarrow

INSTANT = datetime.datetime(2020, 8, 18, tzinfo=datetime.timezone.utc)
TABLES = ["events", "certificates", "indicators", "interfaces", "asset_tags"]


def answer_to(call, names):
    """The value of the last of one or two statements. `names` keeps the other's, such as a connection."""
    *before, last = call.split("; ")
    exec("; ".join(before), names)
    return eval(last, names)


def arrow_of(answer):
    """Rows as Arrow, whatever the engine calls that."""
    kind = type(answer).__module__.split(".")[0]
    if kind == "pyarrow":
        return answer
    if kind == "pandas":
        return pyarrow.Table.from_pandas(answer, preserve_index=False)
    if kind == "dask":
        return arrow_of(answer.compute())
    if kind == "polars":
        return answer.collect().to_arrow()
    if kind == "datafusion":
        return answer.to_arrow_table()
    if kind == "daft":
        return answer.to_arrow()
    if kind == "pyspark":
        return answer.toArrow()
    table = answer.arrow()
    return table.read_all() if isinstance(table, pyarrow.RecordBatchReader) else table


def since(call, names):
    """The events at or after an instant, by the engine's own comparison with an instant; or why it refuses that."""
    if call.startswith("chdb"):
        where = " where event_time >= toDateTime64('2020-08-18 00:00:00', 6, 'UTC')"
        return eval(call.replace("select *", "select event_id").replace('", \'Arrow', where + '", \'Arrow'), names).num_rows
    try:
        return count_since(answer_to(call, names))
    except TypeError as problem:
        return f"refused: {problem}"


def count_since(answer):
    kind = type(answer).__module__.split(".")[0]
    if kind == "pyarrow":
        import pyarrow.compute

        return answer.filter(pyarrow.compute.field("event_time") >= pyarrow.scalar(INSTANT)).num_rows
    if kind == "pandas":
        return int((answer["event_time"] >= INSTANT).sum())
    if kind == "dask":
        return int((answer["event_time"] >= INSTANT).sum().compute())
    if kind == "polars":
        import polars

        return answer.filter(polars.col("event_time") >= INSTANT).collect().height
    if kind == "datafusion":
        import datafusion

        return answer.filter(datafusion.col("event_time") >= datafusion.lit(INSTANT)).count()
    if kind == "daft":
        import daft

        return answer.where(daft.col("event_time") >= INSTANT).count_rows()
    if kind == "pyspark":
        return answer.where("event_time >= timestamp '2020-08-18T00:00:00Z'").count()
    return answer.filter("event_time >= timestamptz '2020-08-18 00:00:00+00'").aggregate("count(*)").fetchall()[0][0]


def text_of(value):
    """A value as text that does not depend on the engine; None for NULL."""
    if value is None or value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime):
        # Times come as integers: this is a day, as a category of fastparquet.
        return str(value.date()) if value.time() == datetime.time() else f"time {value}"
    if isinstance(value, bytes):
        return f"bytes {value.hex()}"
    return str(value)


def type_of(column):
    kind = column.type.value_type if pyarrow.types.is_dictionary(column.type) else column.type
    if pyarrow.types.is_timestamp(kind):
        return "instant" if kind.tz else "without zone"
    return str(kind).removeprefix("large_").removesuffix("_view").replace("date32[day]", "date")


def values_of(column):
    """Times as microseconds since 1970 in UTC; those without a zone as if they were UTC, which `types` tells."""
    if pyarrow.types.is_timestamp(column.type):
        return column.cast(pyarrow.timestamp("us", column.type.tz)).cast(pyarrow.int64()).to_pylist()
    return column.to_pylist()


def md5(text):
    return hashlib.md5(text.encode("utf8", "surrogatepass")).hexdigest()


def json_of(value):
    """As JavaScript writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def found(call, names):
    tables = {}
    for name in TABLES:
        table = arrow_of(answer_to(call.replace("events", name), names))
        columns = {each: [text_of(value) for value in values_of(table[each])] for each in sorted(table.column_names)}
        tables[name] = {
            "rows": table.num_rows,
            "types": {each: type_of(table[each]) for each in columns},
            "digests": {each: md5("\n".join(sorted(json_of(value) for value in values))) for each, values in columns.items()},
            # Which values are together in a row.
            "rowDigest": md5(json_of(sorted(json_of(row) for row in zip(*columns.values())))),
        }
        if name == "events":
            events = {"events": columns}
    columns = events["events"]
    days = columns["event_date"]
    return {
        "tables": tables,
        "ids": md5("\n".join(sorted(columns["event_id"]))),
        "fileSizes": sum(int(value) for value in columns["file_size"] if value is not None),
        "scores": sum(int(value) for value in columns["score"] if value is not None),
        "nulls": {each: columns[each].count(None) for each in ["score", "file_sha256", "file_size", "process_id"]},
        "days": {day: days.count(day) for day in sorted(set(days))},
        "since": since(call, names),
    }


def read(call, names):
    try:
        return found(call, names)
    except Exception as problem:
        return {"refused": f"{type(problem).__name__}: {problem}"[:300]}


def use_zone(zone, names):
    """The zone of this process, and of Spark's session, which has one of its own."""
    os.environ["TZ"] = zone
    time.tzset()
    if "pyspark" in names:
        from pyspark.sql import SparkSession

        SparkSession.builder.getOrCreate().conf.set("spark.sql.session.timeZone", zone)
    return time.strftime("%Z", time.localtime(1597708800))


def main():
    asked = json.loads(sys.argv[1])
    for each in asked["modules"]:
        importlib.import_module(each)
    names = {each.split(".")[0]: sys.modules[each.split(".")[0]] for each in asked["modules"]}
    answers = []
    for zone, layouts in asked["layouts"].items():
        short_name = use_zone(zone, names)
        for layout in layouts:
            # No change of folder: the process that Spark runs in would not follow.
            calls = {call: read(call.replace("'lake/", f"'{layout}/lake/"), names) for call in asked["calls"]}
            answers.append({"zone": short_name, "layout": layout, "calls": calls})
    print(json.dumps({"duckdb": getattr(names.get("duckdb"), "__version__", None), "answers": answers}))


main()
