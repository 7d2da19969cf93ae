"""What a Spark job does with the same events: read JSON by an explicit schema, keep the greatest version of each key, write zstd Parquet.

`query.py SOURCE FORM OUTPUT THREADS RUNS`: FORM is `lines` (one record a line) or `pages` (bodies as the partner sent them, unpacked, whose
records are exploded). Prints one line of JSON a run: seconds, CPU-seconds of the JVM, rows.
"""

import json
import os
import sys
import time

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

SCHEMA = """event_id STRING, environment STRING, transaction_id STRING, event_type STRING, event_version BIGINT, updated_at TIMESTAMP,
  created_at STRING, payload STRUCT<amount: DECIMAL(18, 2), currency: STRING, exchange_rate: DECIMAL(18, 4),
    customer: STRUCT<id: STRING, email: STRING, name: STRING, ip: STRING>,
    merchant: STRUCT<id: STRING, name: STRING, country: STRING, mcc: BIGINT>,
    card: STRUCT<brand: STRING, last4: STRING, expiry: STRING>,
    items: ARRAY<STRUCT<sku: STRING, quantity: BIGINT, unit_price: DECIMAL(18, 2)>>,
    metadata: STRUCT<channel: STRING, trace: BIGINT, note: STRING, device: STRUCT<os: STRING, version: STRING>>,
    risk: STRUCT<score: DECIMAL(18, 3), level: STRING, rules: ARRAY<STRING>>>"""


def records(spark, source, form):
    if form == "lines":
        return spark.read.schema(SCHEMA).json(source)
    pages = spark.read.schema(f"data ARRAY<STRUCT<{SCHEMA}>>").option("multiLine", True).json(source)
    return pages.select(F.explode("data").alias("record")).select("record.*")


def cpu_seconds(pid):
    """Of all threads, user and system, by Linux's account."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(source, form, output, threads, runs):
    spark = (
        SparkSession.builder.master(f"local[{threads}]")
        .config("spark.driver.memory", "8g")
        .config("spark.sql.shuffle.partitions", threads)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    pid = spark.sparkContext._gateway.proc.pid  # spark-submit, which becomes the JVM
    newest = Window.partitionBy("environment", "event_id").orderBy(F.desc("updated_at"), F.desc("event_version"))
    for _ in range(int(runs)):
        cpu, start = cpu_seconds(pid), time.monotonic()
        found = records(spark, source, form).withColumn("place", F.row_number().over(newest))
        found.where("place = 1").drop("place").write.mode("overwrite").parquet(output)
        seconds, used = time.monotonic() - start, cpu_seconds(pid) - cpu
        rows = spark.read.parquet(output).count()
        print(json.dumps({"seconds": seconds, "cpuSeconds": used, "rows": rows}), flush=True)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
