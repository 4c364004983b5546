"""ClickHouse inside this process: pages in steps, one thread."""

import os

import chdb.session

from peer import ORDER, fetch_to_disk, report, steps

session = chdb.session.Session(os.path.join(ORDER["folder"], "clickhouse"))
for number, paths in enumerate(steps()):
    files = [os.path.basename(file) for file in fetch_to_disk(paths, number)]
    pattern = os.path.join(ORDER["folder"], "pages", "{" + ",".join(files) + "}")
    for statement in ORDER["statements"]:
        session.query(statement.replace("%PAGES%", pattern).replace("%STEP%", str(number)))
session.close()
report()
