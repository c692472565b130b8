#!/usr/bin/env python3
"""check_sizes.py - files, functions and parameter lists stay small enough to hold in mind. An
exception is a row in ALLOWED with its reason; the number there may only fall."""
import statistics

import c_source

FILE_LINES = 700
TEST_LINES = 800
HEADER_LINES = 300
FUNCTION_LINES = 80
PARAMETERS = 6

ALLOWED = {
    # "path": (lines, "reason"), "path:function": (lines, "reason"), "path:function()": (parameters, "reason")
    "src/ws/tls_control.c:on_record()": (7, "OpenSSL calls it"),
}


def allowed(key, limit):
    return ALLOWED.get(key, (limit,))[0]


def check_file(path, text, sizes):
    lines = text.count("\n")
    usual = TEST_LINES if path.startswith("tests/") else HEADER_LINES if path.endswith(".h") else FILE_LINES
    limit = allowed(path, usual)
    if lines > limit:
        yield f"{path}: {lines} lines, the limit is {limit}"
    for function in c_source.functions(text):
        if path.startswith("src/"):
            sizes.append(function.lines)
        limit = allowed(f"{path}:{function.name}", FUNCTION_LINES)
        if function.lines > limit:
            yield f"{path}:{function.line}: {function.name} has {function.lines} lines, the limit is {limit}"
        limit = allowed(f"{path}:{function.name}()", PARAMETERS)
        if function.parameters > limit:
            yield f"{path}:{function.line}: {function.name} has {function.parameters} parameters, the limit is {limit}"


def main():
    _, root = c_source.arguments()
    sizes, complaints = [], []
    for path in c_source.files(root, ".c", ".h"):
        complaints += check_file(path, c_source.read(root, path), sizes)
    if sizes:
        sizes.sort()
        print(f"{len(sizes)} functions in src: median {statistics.median(sizes):.0f} lines, "
              f"nine of ten within {sizes[len(sizes) * 9 // 10]}, longest {sizes[-1]}")
    c_source.finish("sizes", complaints)


main()
