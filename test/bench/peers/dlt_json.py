"""dlt as its documentation shows it, tuned: parsed pages in, child tables by dlt's own normaliser."""

import gzip
import os

import dlt
import orjson

from peer import ORDER, fetch, page_list, report

os.environ.update(
    {
        "NORMALIZE__WORKERS": "2",
        "LOAD__WORKERS": "2",
        "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "10000",
        "EXTRACT__DATA_WRITER__BUFFER_MAX_ITEMS": "10000",
        "NORMALIZE__DATA_WRITER__BUFFER_MAX_ITEMS": "10000",
        "DATA_WRITER__DISABLE_COMPRESSION": "true",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
    }
)


@dlt.resource(name="events", primary_key="id")
def events():
    for path in page_list():
        body = fetch(path)
        yield orjson.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)


pipeline = dlt.pipeline(
    pipeline_name="peer",
    pipelines_dir=os.path.join(ORDER["folder"], "state"),
    dataset_name="edr",
    destination=dlt.destinations.filesystem(
        bucket_url=ORDER["folder"], layout="{table_name}/{load_id}/{file_id}.{ext}"
    ),
)
if __name__ == "__main__":
    pipeline.run(events(), loader_file_format="parquet", write_disposition="append")
    report()
