"""c_source.py - what the lints know about C: which files there are, their text without comments and
strings, their functions. A lint is `check_NAME BUILD [ROOT]`; ROOT lets the fixtures stand in for
the repository."""
import os
import re
import subprocess
import sys
from collections import namedtuple

Function = namedtuple("Function", "name line lines parameters")

NOISE = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M | re.S)


def arguments():
    """BUILD and ROOT from the command line."""
    here = os.path.dirname(os.path.abspath(__file__))
    root = sys.argv[2] if len(sys.argv) > 2 else os.path.join(here, "..", "..")
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    return os.path.abspath(build), os.path.abspath(root)


def files(root, *endings):
    """Paths below root, relative: what git knows or would add; never the fixtures of another root."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "."], cwd=root,
                            check=True, capture_output=True, text=True).stdout.split("\n")
    return sorted(path for path in listed
                  if path.endswith(endings) and not path.startswith("tests/lint/fixtures/")
                  and os.path.exists(os.path.join(root, path)))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def blank(match):
    """As many lines, no text; a string stays an empty string."""
    text = match.group(0)
    return ('""' if text[0] == '"' else " ") + "\n" * text.count("\n")


def bare(text):
    """The text without comments, strings and preprocessor lines, line numbers kept."""
    return DIRECTIVE.sub(blank, NOISE.sub(blank, text))


def functions(text):
    """Every function defined in a C file, tests of Check among them."""
    code = bare(text)
    depth, start, found = 0, 0, []
    for match in re.finditer(r"[{};]", code):
        token, at = match.group(0), match.start()
        if token == "{":
            if depth == 0:
                head, opened = code[start:at], at
            depth += 1
        elif token == "}":
            depth -= 1
            if depth == 0:
                function = head_of(head)
                if function is not None:
                    first = code.count("\n", 0, opened) - head.strip().count("\n")
                    last = code.count("\n", 0, at)
                    found.append(Function(function[0], first, last - first + 1, function[1]))
                start = at + 1
        elif depth == 0:
            start = at + 1
    return found


def head_of(head):
    """(name, number of parameters) if this is the head of a function, else None."""
    head = head.strip()
    if not head.endswith(")") or "=" in head:
        return None
    depth = 0
    for i in range(len(head) - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(head[i], 0)
        if depth == 0:
            break
    name = re.search(r"(\w+)\s*$", head[:i])
    if name is None:
        return None
    inside, depth, commas = head[i + 1:-1].strip(), 0, 0
    for char in inside:
        depth += {"(": 1, ")": -1}.get(char, 0)
        commas += char == "," and depth == 0
    return (inside if name.group(1) == "START_TEST" else name.group(1)), (0 if inside in ("", "void") else commas + 1)


def finish(what, complaints):
    """Prints the complaints and ends with the exit code they deserve."""
    for complaint in complaints:
        print(complaint)
    print(f"{what}: {len(complaints)} complaint(s)")
    sys.exit(bool(complaints))
