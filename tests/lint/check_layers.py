#!/usr/bin/env python3
"""check_layers.py - an include only points down, and a library only has the users it should have.

The linker says the same of functions; this also sees headers, types and macros."""
import re

import c_source

BELOW = {
    "base": [],
    "crypto": ["base"],
    "proto": ["crypto", "base"],
    "mux": ["proto", "crypto", "base"],
    "net": ["base"],
    "ws": ["net", "proto", "crypto", "base"],
    "tunnel": ["mux", "ws", "net", "proto", "crypto", "base"],
    "app": ["tunnel", "mux", "ws", "net", "proto", "crypto", "base"],
}
USERS = {
    "libwebsockets.h": ["ws"],
    "uv.h": ["net", "ws", "tunnel", "app"],
    "yaml.h": ["app"],
}
OPENSSL_USERS = ["crypto", "ws"]
C11_ONLY = ["base", "crypto", "proto", "mux"]
C11 = {name + ".h" for name in """assert ctype errno float inttypes limits stdalign stdarg stdatomic stdbool stddef
    stdint stdio stdlib stdnoreturn string threads time""".split()}


def layer_of(path):
    """(layer, whether it is shipped code) or None for what is free to include anything."""
    match = re.match(r"(src|include/tws|tests/unit)/(\w+)/", path)
    return (match.group(2), match.group(1) != "tests/unit") if match and match.group(2) in BELOW else None


def wrong(layer, shipped, kind, header):
    """Why `layer` may not include this header, or None."""
    if kind == '"':
        match = re.match(r"tws/(\w+)/", header)
        if match is None:
            return None if "/" not in header else "only tws/<layer>/<module>.h and headers beside the file"
        if match.group(1) != layer and match.group(1) not in BELOW[layer]:
            return f"{match.group(1)} is not below {layer}"
        return None
    if header.startswith("openssl/"):
        return None if layer in OPENSSL_USERS or not shipped else f"OpenSSL belongs to {', '.join(OPENSSL_USERS)}"
    if header in USERS:
        return None if layer in USERS[header] else f"{header} belongs to {', '.join(USERS[header])}"
    if shipped and layer in C11_ONLY and header not in C11:
        return f"{layer} is plain C11"
    return None


def main():
    _, root = c_source.arguments()
    complaints = []
    for path in c_source.files(root, ".c", ".h"):
        place = layer_of(path)
        if place is None:
            continue
        for number, line in enumerate(c_source.read(root, path).splitlines(), 1):
            include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)', line)
            reason = include and wrong(*place, *include.groups())
            if reason:
                complaints.append(f"{path}:{number}: {include.group(2)}: {reason}")
    c_source.finish("layers", complaints)


main()
