"""Writes packages/data/testdata/*.parquet with PyArrow (25.0.1), which `npm run golden` does not need: run by hand, pip install pyarrow."""
import datetime
import decimal
import os

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "packages", "data", "testdata")
PLAIN = pa.table(
    {
        "id": pa.array(range(7), pa.int64()),
        "score": pa.array([0.5, None, -1.25, 3.0, None, 1e300, -0.0], pa.float64()),
        "small": pa.array([0.1, 0.2, None, 0.4, 0.5, 0.6, 0.7], pa.float32()),
        "city": pa.array(["Bern", "Oslo", None, "Bern", "Zürich", "", "Oslo"]),
        "isHere": pa.array([True, False, None, True, True, False, True]),
        "price": pa.array([None if i == 4 else decimal.Decimal(f"{i}.25") for i in range(7)], pa.decimal128(9, 2)),
        "seen": pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5, 678000)] * 6 + [None], pa.timestamp("us")),
        "born": pa.array([datetime.date(1970, 1, 11)] * 6 + [None], pa.date32()),
    }
)


def write(name, table, **options):
    pq.write_table(table, os.path.join(FOLDER, name + ".parquet"), **options)


write("plain", PLAIN, row_group_size=3, compression="snappy")
write("uncompressed", PLAIN, compression="none", use_dictionary=False, data_page_version="2.0")
write("gzip", PLAIN.select(["id"]), compression="gzip")
write("nested", pa.table({"id": pa.array([1, 2]), "tags": pa.array([["a"], []])}))
write("large", pa.table({"id": pa.array([1, 2**60 + 1], pa.int64())}))
