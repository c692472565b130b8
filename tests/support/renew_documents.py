#!/usr/bin/env python3
"""renew_documents.py TWS - writes the option table into README.md and tws.yaml(5), as the binary
prints it: to be run after a change of src/app/option_table.c."""
import os
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
DOCUMENTS = (("README.md", "--markdown", "<!-- options begin -->\n", "<!-- options end -->\n"),
             ("docs/man/tws.yaml.5", "--man", '.\\" options begin\n', '.\\" options end\n'))


def renew(tws, path, form, begin, end):
    table = subprocess.run([tws, "help", "options", form], check=True, capture_output=True, text=True).stdout
    path = os.path.join(ROOT, path)
    with open(path, encoding="utf-8") as file:
        head, rest = file.read().split(begin)
    with open(path, "w", encoding="utf-8") as file:
        file.write(head + begin + table + end + rest.split(end)[1])


if len(sys.argv) != 2:
    sys.exit("usage: renew_documents.py TWS")
for document in DOCUMENTS:
    renew(sys.argv[1], *document)
