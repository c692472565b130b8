#!/usr/bin/env python3
"""check_docs.py - every relative link and anchor in a Markdown file leads somewhere."""
import os
import re

import c_source


def anchors(text):
    """GitHub's ids of the headings."""
    titles = re.findall(r"^#+ +(.*?) *$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def check(root, path):
    text = c_source.read(root, path)
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", lambda m: "\n" * m.group(0).count("\n"), text, flags=re.M | re.S)
    for match in re.finditer(r"\]\(([^)\s]+)[^)]*\)", prose):
        target = match.group(1)
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        where = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
        line = prose.count("\n", 0, match.start()) + 1
        if not os.path.exists(os.path.join(root, where)):
            yield f"{path}:{line}: {target}: no such file"
        elif anchor and where.endswith(".md") and anchor not in anchors(c_source.read(root, where)):
            yield f"{path}:{line}: {target}: no such heading"


def main():
    _, root = c_source.arguments()
    complaints = []
    for path in c_source.files(root, ".md"):
        complaints += check(root, path)
    c_source.finish("documents", complaints)


main()
