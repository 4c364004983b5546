"""dlt with tables that DuckDB makes by hand-written SQL: the lane in which dlt touches no value."""

import os

import dlt
import duckdb

from peer import ORDER, fetch_to_disk, report, steps

os.environ.update(
    {
        "DATA_WRITER__DISABLE_COMPRESSION": "true",
        "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        "DATA_WRITER__COMPRESSION": "zstd",
        "DATA_WRITER__VERSION": "2.6",
        "LOAD__WORKERS": "2",
    }
)


@dlt.resource(name="events")
def tables():
    connection = duckdb.connect(config={"threads": 1, "preserve_insertion_order": False})
    for number, paths in enumerate(steps()):
        files = fetch_to_disk(paths, number)
        connection.execute(ORDER["read"].replace("%PAGES%", ", ".join(f"'{file}'" for file in files)))
        for table, select in ORDER["selects"].items():
            rows = connection.execute(select).to_arrow_table()
            yield dlt.mark.with_table_name(rows, table)


pipeline = dlt.pipeline(
    pipeline_name="peer",
    pipelines_dir=os.path.join(ORDER["folder"], "state"),
    dataset_name="edr",
    destination=dlt.destinations.filesystem(
        bucket_url=ORDER["folder"], layout="{table_name}/{load_id}/{file_id}.{ext}"
    ),
)
pipeline.run(tables(), loader_file_format="parquet", write_disposition="append")
report()
