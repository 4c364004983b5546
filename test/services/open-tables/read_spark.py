"""Prints as JSON what Spark finds in published tables: for each format, version and table a digest, or why it refuses.

Arguments: the folder of the published tables, the folder of the jars, and JSON with the tables to read at each version.
"""

import glob
import json
import os
import sys

from pyspark.sql import SparkSession

from digest import found

ROOT, JARS = map(os.path.abspath, sys.argv[1:3])
WANTED = json.loads(sys.argv[3])

DELTA = "io.delta.sql.DeltaSparkSessionExtension"
ICEBERG = "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions"
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.jars", ",".join(glob.glob(f"{JARS}/*.jar")))
    .config("spark.sql.extensions", f"{DELTA},{ICEBERG}")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.sql.session.timeZone", "UTC")
    .config("spark.ui.enabled", "false")
    # Small tables: fifty tasks to read a log of six entries take longer than one.
    .config("spark.databricks.delta.snapshotPartitions", "1")
    .config("spark.sql.shuffle.partitions", "1")
    .getOrCreate()
)
READERS = {
    "spark delta": lambda name, version: (
        spark.read.format("delta").option("versionAsOf", version).load(f"{ROOT}/{name}").toArrow()
    ),
    "spark iceberg": lambda name, version: (
        spark.read.format("iceberg").option("snapshot-id", version).load(f"{ROOT}/{name}").toArrow()
    ),
}
NEWEST = {
    "spark delta": lambda name: spark.read.format("delta").load(f"{ROOT}/{name}").toArrow(),
    "spark iceberg": lambda name: spark.read.format("iceberg").load(f"{ROOT}/{name}").toArrow(),
}
print(
    json.dumps(
        {
            "readers": {
                reader: {
                    version: {name: found(lambda: read(name, int(version))) for name in tables}
                    for version, tables in WANTED.items()
                }
                for reader, read in READERS.items()
            },
            "newest": {reader: {"events": found(lambda: read("events"))} for reader, read in NEWEST.items()},
        }
    )
)
