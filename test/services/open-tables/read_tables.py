"""Prints as JSON what readers of table formats find in the published tables of the current folder.

Arguments: the folder of the published tables, the folder with the expected rows of each version as Parquet, and the
versions to read. For each reader, version and table there is a digest of all values, or why the reader refuses.
"""

import datetime
import glob
import json
import os
import re
import sys
import sysconfig

import deltalake
import duckdb
import polars
import pyarrow
import pyarrow.parquet
from pyiceberg.table import StaticTable

from digest import found

ROOT, TRUTH = map(os.path.abspath, sys.argv[1:3])
VERSIONS = [int(version) for version in sys.argv[3:]]
TABLES = sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(f"{ROOT}/*/_delta_log"))


def extension(name):
    """The file that the wheel of an extension brought."""
    [path] = glob.glob(f"{sysconfig.get_path('purelib')}/**/{name}.duckdb_extension", recursive=True)
    return path


def arrow_of(answer):
    table = answer.arrow()
    return table.read_all() if isinstance(table, pyarrow.RecordBatchReader) else table


def iceberg(name):
    folder = f"{ROOT}/{name}/metadata"
    with open(f"{folder}/version-hint.text") as hint:
        return StaticTable.from_metadata(f"file://{folder}/v{hint.read()}.metadata.json")


database = duckdb.connect()
for each in ("delta", "avro", "iceberg", "ducklake"):
    database.execute(f"LOAD '{extension(each)}'")
database.execute("SET TimeZone = 'UTC'")
database.execute(f"ATTACH 'ducklake:{ROOT}/lake.ducklake' AS lake (READ_ONLY)")

READERS = {
    "deltalake": lambda name, version: deltalake.DeltaTable(f"{ROOT}/{name}", version=version).to_pyarrow_table(),
    "polars": lambda name, version: polars.scan_delta(f"{ROOT}/{name}", version=version).collect().to_arrow(),
    "duckdb delta": lambda name, version: arrow_of(
        database.sql(f"from delta_scan('{ROOT}/{name}', version := {version})")
    ),
    "pyiceberg": lambda name, version: iceberg(name).scan(snapshot_id=version).to_arrow(),
    "duckdb iceberg": lambda name, version: arrow_of(
        database.sql(f"from iceberg_scan('{ROOT}/{name}', snapshot_from_id = {version})")
    ),
    "duckdb ducklake": lambda name, version: arrow_of(database.sql(f"from lake.{name} at (version => {version})")),
}
NEWEST = {
    "deltalake": lambda name: deltalake.DeltaTable(f"{ROOT}/{name}").to_pyarrow_table(),
    "polars": lambda name: polars.scan_delta(f"{ROOT}/{name}").collect().to_arrow(),
    "duckdb delta": lambda name: arrow_of(database.sql(f"from delta_scan('{ROOT}/{name}')")),
    "pyiceberg": lambda name: iceberg(name).scan().to_arrow(),
    "duckdb iceberg": lambda name: arrow_of(database.sql(f"from iceberg_scan('{ROOT}/{name}')")),
    "duckdb ducklake": lambda name: arrow_of(database.sql(f"from lake.{name}")),
}


def truth(name, version):
    return found(lambda: pyarrow.parquet.read_table(f"{TRUTH}/{version}/{name}.parquet"))


def days(name):
    """Rows of a day by a filter on the partition."""
    where = "event_date = '2020-08-18'"
    scan = iceberg(name).scan(row_filter=where, selected_fields=("event_date", "event_id"))
    return {
        "pyiceberg": scan.to_arrow().num_rows,
        "pyiceberg files": len(list(scan.plan_files())),
        # Known of 0.12.0: where the column of the partition is not selected, nothing is found.
        "pyiceberg without the column": iceberg(name).scan(row_filter=where, selected_fields=("event_id",)).to_arrow().num_rows,
        "deltalake": deltalake.DeltaTable(f"{ROOT}/{name}").to_pyarrow_table(filters=[("event_date", "=", datetime.date(2020, 8, 18))]).num_rows,
        "deltalake files": len(deltalake.DeltaTable(f"{ROOT}/{name}").file_uris([("event_date", "=", "2020-08-18")])),
        "duckdb delta": database.sql(f"select count(*) from delta_scan('{ROOT}/{name}') where {where}").fetchone()[0],
        "duckdb iceberg": database.sql(f"select count(*) from iceberg_scan('{ROOT}/{name}') where {where}").fetchone()[0],
        "duckdb ducklake": database.sql(f"select count(*) from lake.{name} where {where}").fetchone()[0],
        "duckdb ducklake files": ducklake_files(f"select count(event_id) from lake.{name} where {where}"),
    }


def ducklake_files(query):
    """How many files the extension opens."""
    [[_, plan]] = database.sql(f"explain analyze {query}").fetchall()
    return int(re.search(r"Total Files Read: (\d+)", plan)[1])


def ducklake():
    """What only a catalogue has, and what the extension answers from it instead of from the files."""
    comments = "select {0}, comment from duckdb_{1}() where database_name = 'lake' and table_name like '{2}'"
    shape = "select count(*), min(event_time)::varchar, max(event_time)::varchar, max(file_size), min(host_name) from "

    def answer(source):
        try:
            return database.sql(f"{shape} {source}").fetchone()
        except duckdb.Error as problem:
            return f"refused: {problem}"

    bounds = {
        version: [answer(f"lake.events at (version => {version})"), answer(f"'{TRUTH}/{version}/events.parquet'")]
        for version in VERSIONS
    }
    try:
        database.execute("insert into lake.events select * from lake.events")
        write = "done"
    except Exception as problem:
        write = str(problem)
    return {
        "tables": dict(database.sql(comments.format("table_name", "tables", "%")).fetchall()),
        "columns": dict(database.sql(comments.format("column_name", "columns", "events")).fetchall()),
        "snapshots": [row[0] for row in database.sql("select snapshot_id from lake.snapshots() order by 1").fetchall()],
        "bounds": bounds,
        "newest": answer("lake.events"),
        "write": write,
    }


print(
    json.dumps(
        {
            "tables": TABLES,
            "truth": {version: {name: truth(name, version) for name in TABLES} for version in VERSIONS},
            "readers": {
                reader: {version: {name: found(lambda: read(name, version)) for name in TABLES} for version in VERSIONS}
                for reader, read in READERS.items()
            },
            "newest": {reader: {name: found(lambda: read(name)) for name in TABLES} for reader, read in NEWEST.items()},
            "days": days("events"),
            "ducklake": ducklake(),
        }
    )
)
