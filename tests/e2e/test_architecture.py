# SPDX-License-Identifier: LGPL-2.1-or-later
"""What docs/architecture.md says of the rooms of the tree: the arrows, and the
one file that uses each third-party library."""

import fnmatch
import pathlib
import re
import subprocess

import pytest


@pytest.fixture(scope="module")
def page():
    from conftest import ROOT
    return (ROOT / "docs/architecture.md").read_text()


def sources(root, room):
    return sorted((root / room).glob("*.[ch]"))


def includes(path):
    return re.findall(r'^\s*#\s*include\s+["<](.+?)[">]', path.read_text(), re.M)


def room_of(header):
    """None: it is not from this tree."""
    return "lib" if header == "blkhash.h" else \
        header.split("/")[0] if "/" in header else None


# --- arrows --------------------------------------------------------------

def arrows(page):
    """A set of pairs for each room: those that it may include. In the picture
    'a & b --> c & d' are four arrows, and a label is in brackets."""
    [picture] = re.findall(r"^```mermaid\n(.*?)^```", page, re.M | re.S)
    drawn = {}
    for line in re.sub(r"\[.*?\]", "", picture).splitlines()[1:]:
        ends = [[room.strip() for room in end.split("&")]
                for end in re.split(r"-->|-\.->", line)]
        for room in sum(ends, []):
            if room:
                drawn.setdefault(room, set())
        for some, others in zip(ends, ends[1:]):
            for room in some:
                drawn[room] |= set(others)
    return drawn


def test_arrows_are_read():
    assert arrows("```mermaid\nflowchart TD\n    a[\"a & b --> c\"]\n"
                  "    a & b --> c\n    c -.-> d & e\n```\n") == \
        {"a": {"c"}, "b": {"c"}, "c": {"d", "e"}, "d": set(), "e": set()}


def test_includes_are_the_arrows(root, page):
    drawn = arrows(page)
    assert set(drawn) == {path.parent.name for path in root.glob("*/*.c")} - \
        {"bench", "examples"}
    there = {room: set() for room in drawn}
    for room in drawn:
        for path in sources(root, room):
            for header in includes(path):
                other = room_of(header)
                if other in drawn and other != room:
                    assert other in drawn[room], \
                        f"{path} includes {header}: no arrow says so"
                    there[room].add(other)
    for room, others in drawn.items():
        assert others == there[room], f"arrows from {room} without an include"


def circle(graph):
    """A path through a graph that ends where it began; None: there is none."""
    done = set()

    def visit(node, path):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        for other in sorted(graph.get(node, ())):
            if found := visit(other, path + [node]):
                return found
        done.add(node)
        return None
    for node in sorted(graph):
        if found := visit(node, []):
            return " -> ".join(found)
    return None


def test_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == "b -> c -> b"
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) is None


def test_rooms_have_no_circle(page):
    assert circle(arrows(page)) is None


def test_headers_have_no_circle(root, page):
    """Of this tree; one without a directory is from the same."""
    graph = {}
    for room in arrows(page):
        for path in sources(root, room):
            if path.suffix == ".h":
                graph[f"{room}/{path.name}"] = {
                    header if "/" in header else f"{room}/{header}"
                    for header in includes(path)}
    assert circle(graph) is None


def symbols(path):
    """Of an object file: those that it defines, and those of others."""
    lines = subprocess.run(["nm", path], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.splitlines()
    kinds = [line.split()[-2:] for line in lines]
    return ({name for kind, name in kinds if kind in "TDBRC"},
            {name for kind, name in kinds if kind == "U"})


def test_files_do_not_call_in_a_circle(root, build):
    """A file that uses another's functions is above it. A build may have what
    is left of a file that is gone."""
    objects = {path.name.removesuffix(".c.o").replace("_", "/", 1): symbols(path)
               for path in build.glob("*.p/*.c.o")}
    objects = {file: both for file, both in objects.items()
               if (root / f"{file}.c").exists()}
    assert len(objects) > 50
    owner = {name: file for file, (defined, _) in objects.items()
             for name in defined}
    assert circle({file: {owner[name] for name in used if name in owner} - {file}
                   for file, (_, used) in objects.items()}) is None


# --- libraries -----------------------------------------------------------

def libraries(page):
    """Of each: its name in pkg-config, its headers, and the files."""
    rows = re.findall(r"^\| \S+ \| `([\w.-]+)` \| `(\S+)` \| (`\S+`(?:, `\S+`)*) \|$", page, re.M)
    return {name: (headers, set(re.findall("`(.*?)`", files))) for name, headers, files in rows}


def test_each_library_is_used_where_the_page_says(root, page):
    for headers, files in libraries(page).values():
        users = {str(path.relative_to(root)) for room in arrows(page)
                 for path in sources(root, room)
                 if fnmatch.filter(includes(path), headers)}
        assert users == files, headers


def test_all_libraries_are_named(root, page):
    built_in = [root / "meson.build", *root.glob("lib/meson.build")]
    names = re.findall(r"dependency\('([^']+)'", "\n".join(
        path.read_text() for path in built_in))
    assert set(libraries(page)) == set(names) - {"threads"}


def test_the_library_is_used_by_its_public_header(root, page):
    for room in set(arrows(page)) - {"lib"}:
        for path in sources(root, room):
            assert not fnmatch.filter(includes(path), "lib/*"), path


def test_files_that_the_page_names(root, page):
    """In backquotes, with their directory."""
    named = re.findall(r"`((?:\w+/)+[\w.-]+\.[ch])`", page)
    assert len(named) > 10
    assert [name for name in named if not pathlib.Path(root / name).exists()] == []
