#!/usr/bin/env python3
"""check_docs.py - every relative link and anchor in a Markdown file leads somewhere, and so does what a comment
in C says about a file of the repository or a heading of a page (docs/protocol.md, "Codes")."""
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


def titles(text):
    return set(re.findall(r"^#+ +(.*?) *$", text, re.M))


def check_comments(root, path, names):
    text = c_source.read(root, path)
    for comment in re.finditer(r"/\*.*?\*/", text, re.S):
        words = re.sub(r"\s*\n \* *|\s+", " ", comment.group(0))
        line = text.count("\n", 0, comment.start()) + 1
        for name in re.findall(r"(?<![\w/.])[a-z_]{3,}\.[ch]\b", words):
            if name not in names:
                yield f"{path}:{line}: {name}: no such file"
        for page, title in re.findall(r"\b(docs/\w+\.md), \"([^\"]+)\"", words):
            if not os.path.exists(os.path.join(root, page)) or title not in titles(c_source.read(root, page)):
                yield f"{path}:{line}: {page}, \"{title}\": no such heading"


def main():
    _, root = c_source.arguments()
    complaints, sources = [], c_source.files(root, ".c", ".h")
    names = {os.path.basename(path) for path in sources}
    for path in sources:
        complaints += check_comments(root, path, names)
    for path in c_source.files(root, ".md"):
        complaints += check(root, path)
    c_source.finish("documents", complaints)


main()
