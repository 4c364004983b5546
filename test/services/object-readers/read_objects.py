"""Prints as JSON what readers find in a lake in an object store: for each reader and table the number and a digest.

Argument: JSON with the `address` of the lake, its `tables`, the text that `connect` printed for `python` and `duckdb`,
the folder `truth` with the expected rows of each version as Parquet, and the older and the newest `versions`.
"""

import glob
import json
import os
import sys
import sysconfig

import deltalake
import duckdb
import polars
import pyarrow
import pyarrow.parquet

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../open-tables"))
from digest import found

ASKED = json.loads(sys.argv[1])
ADDRESS, TABLES, TRUTH = ASKED["address"], ASKED["tables"], ASKED["truth"]
OLDER, NEWEST = ASKED["versions"]
STORAGE = {"AWS_ALLOW_HTTP": "true"}


def install_extensions():
    """Once, as INSTALL does it: into the home folder, from the wheels. INSTALL by name then has nothing to do."""
    for path in glob.glob(f"{sysconfig.get_path('purelib')}/duckdb_extension_*/**/*.duckdb_extension", recursive=True):
        duckdb.execute(f"INSTALL '{path}'")


def arrow_of(answer):
    table = answer.arrow()
    return table.read_all() if isinstance(table, pyarrow.RecordBatchReader) else table


def connected_by_python():
    names = {}
    exec(ASKED["python"], names)
    assert names["events"].columns, "the snippet ends with the relation of the events"
    return names["lake"]


def connected_by_sql():
    database = duckdb.connect()
    database.execute(ASKED["duckdb"])
    return database


install_extensions()
python, sql = connected_by_python(), connected_by_sql()
for each in ("avro", "iceberg", "ducklake"):
    sql.execute(f"LOAD {each}")
sql.execute(f"ATTACH 'ducklake:{ADDRESS}/_tables/lake.ducklake' AS ducklake (READ_ONLY)")


def delta(name, version=None):
    return deltalake.DeltaTable(f"{ADDRESS}/{name}", version=version, storage_options=STORAGE).to_pyarrow_table()


READERS = {
    "connect python": lambda name: arrow_of(python.sql(f"from {name}")),
    "connect duckdb": lambda name: arrow_of(sql.sql(f"from {name}")),
    "deltalake": delta,
    "polars": lambda name: polars.scan_delta(f"{ADDRESS}/{name}", storage_options=STORAGE).collect().to_arrow(),
    "duckdb iceberg": lambda name: arrow_of(sql.sql(f"from iceberg_scan('{ADDRESS}/{name}')")),
    "duckdb ducklake": lambda name: arrow_of(sql.sql(f"from ducklake.{name}")),
}
OLDER_READERS = {
    "deltalake": lambda name: delta(name, OLDER),
    "polars": lambda name: polars.scan_delta(f"{ADDRESS}/{name}", version=OLDER, storage_options=STORAGE).collect().to_arrow(),
    "duckdb iceberg": lambda name: arrow_of(sql.sql(f"from iceberg_scan('{ADDRESS}/{name}', snapshot_from_id = {OLDER})")),
    "duckdb ducklake": lambda name: arrow_of(sql.sql(f"from ducklake.{name} at (version => {OLDER})")),
}


def truth(version):
    return {name: found(lambda: pyarrow.parquet.read_table(f"{TRUTH}/{version}/{name}.parquet")) for name in TABLES}


def all_tables(readers):
    return {reader: {name: found(lambda: read(name)) for name in TABLES} for reader, read in readers.items()}


pattern = f"select count(*) from read_parquet('{ADDRESS}/events/event_date=*/*.parquet')"
print(
    json.dumps(
        {
            "truth": {"older": truth(OLDER), "newest": truth(NEWEST)},
            "newest": all_tables(READERS),
            "older": all_tables(OLDER_READERS),
            "byPattern": sql.sql(pattern).fetchone()[0],
        }
    )
)
