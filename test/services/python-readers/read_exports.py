"""Prints as JSON what pyarrow, polars and DuckDB find in an Arrow stream and in a Parquet file: types, and rows as text."""

import datetime
import decimal
import json
import sys

import duckdb
import polars
import pyarrow
import pyarrow.ipc
import pyarrow.parquet


def plain(value):
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, (datetime.datetime, datetime.date)):
        is_instant = isinstance(value, datetime.datetime) and value.tzinfo is not None
        return (value.astimezone(datetime.timezone.utc) if is_instant else value).isoformat()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return repr(value)


def found(names, types, rows):
    return {"types": dict(zip(names, [str(each) for each in types])), "rows": [[plain(cell) for cell in row] for row in rows]}


def of_pyarrow(table):
    table.validate(full=True)
    return found(table.schema.names, table.schema.types, zip(*[column.to_pylist() for column in table.columns]))


def of_polars(frame):
    return found(frame.columns, frame.dtypes, frame.rows())


def of_duckdb(relation):
    return found(relation.columns, relation.types, relation.fetchall())


arrow, parquet = sys.argv[1:]
with pyarrow.ipc.open_stream(arrow) as stream:
    table = stream.read_all()
session = duckdb.connect()
session.execute("SET TimeZone = 'UTC'")
print(
    json.dumps(
        {
            "pyarrow, arrow": of_pyarrow(table),
            "pyarrow, parquet": of_pyarrow(pyarrow.parquet.read_table(parquet)),
            "polars, arrow": of_polars(polars.read_ipc_stream(arrow)),
            "polars, parquet": of_polars(polars.read_parquet(parquet)),
            "duckdb, arrow": of_duckdb(session.from_arrow(table)),
            "duckdb, parquet": of_duckdb(session.read_parquet(parquet)),
        }
    )
)
