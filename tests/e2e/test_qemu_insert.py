# SPDX-License-Identifier: LGPL-2.1-or-later
"""contrib/qemu/insert: it puts 'qemu-img checksum' in a tree of QEMU's source, whole or
not at all. DISKSUM_QEMU_SOURCE may name a real tree."""

import os
import pathlib
import re
import subprocess

import pytest

# The names that it looks for, in the places where QEMU 7.2 and 10.0 have them.
OLD = {
    "meson.build": """\
if have_tools
  qemu_img = executable('qemu-img', [files('qemu-img.c'), hxdep],
             link_args: '@block.syms', link_depends: block_syms,
             dependencies: [authz, block, crypto, io, qom, qemuutil], install: true)
  qemu_io = executable('qemu-io', files('qemu-io.c'),
             dependencies: [block, qemuutil], install: true)
endif
""",
    "qemu-img.c": """\
#include "qemu/osdep.h"
#include "block/qapi.h"
#include "crypto/init.h"

static const img_cmd_t img_cmds[] = {
#define DEF(option, callback, arg_string)        \\
    { option, callback },
#include "qemu-img-cmds.h"
#undef DEF
    { NULL, NULL, },
};
""",
    "qemu-img-cmds.hx": """\
DEF("check", img_check,
    "check [-q] filename")
SRST
.. option:: check [-q] FILENAME
ERST

DEF("commit", img_commit,
    "commit [-q] filename")
SRST
.. option:: commit [-q] FILENAME
ERST
""",
    "docs/tools/qemu-img.rst": """\
.. option:: check [-q] FILENAME

  Perform a consistency check.

.. option:: commit [-q] FILENAME

  Commit the changes.
""",
}

NEW = {
    **OLD,
    "qemu-img.c": """\
#include "qemu/osdep.h"
#include "block/qapi.h"
#include "crypto/init.h"

typedef struct img_cmd_t {
    const char *name;
    int (*handler)(const struct img_cmd_t *ccmd, int argc, char **argv);
    const char *description;
} img_cmd_t;

static const img_cmd_t img_cmds[] = {
    { "check", img_check,
      "Check basic image integrity" },
    { "commit", img_commit,
      "Commit image to its backing file" },
    { NULL, NULL, },
};
""",
}


def make_tree(path, files):
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text)
    (path / "tests/qemu-iotests/tests").mkdir(parents=True)
    return path


@pytest.fixture(params=["old", "new", "real"])
def tree(request, tmp_path):
    path = tmp_path / "qemu"
    if request.param != "real":
        return make_tree(path, OLD if request.param == "old" else NEW)
    source = os.environ.get("DISKSUM_QEMU_SOURCE")
    if not source:
        pytest.skip("no DISKSUM_QEMU_SOURCE")
    make_tree(path, {name: (pathlib.Path(source) / name).read_text() for name in OLD})
    if (pathlib.Path(source) / "qemu-img-checksum.c").exists():
        pytest.skip("the command is in that tree already")
    return path


def content(path):
    """All files of a tree, with their modes."""
    return {str(file.relative_to(path)): (file.stat().st_mode, file.read_bytes())
            for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def insert(root):
    def run(*args, check=True):
        done = subprocess.run([root / "contrib/qemu/insert", *args], text=True,
                              capture_output=True, check=False)
        assert not done.stdout
        if check:
            assert (done.returncode, done.stderr) == (0, "")
        return done
    return run


def refused(insert, tree, *args):
    """It must say why in one line, and change nothing."""
    before = content(tree)
    done = insert(*args, tree, check=False)
    assert content(tree) == before
    assert done.returncode == 1
    line = re.fullmatch(rf"insert: {re.escape(str(tree))}: ([^\n]+)\n", done.stderr)
    assert line, done.stderr
    return line[1]


def new_files(root):
    """The files that are copied: of contrib/qemu all but the script, what is said of it,
    and the manual, which goes into QEMU's own."""
    directory = root / "contrib/qemu"
    return {file.name: file for file in directory.rglob("*")
            if file.is_file() and not file.name.startswith(".")
            and file.name not in ("insert", "README.md", "qemu-img-checksum.rst")
            and "__pycache__" not in file.parts}


def test_lines(root, insert, tree):
    """Each is inserted once, and no line of the tree is lost."""
    before = content(tree)
    insert(tree)
    after = content(tree)
    added = {pathlib.Path(name).name: name for name in after.keys() - before.keys()}
    assert added.keys() == new_files(root).keys()
    for name, file in new_files(root).items():
        assert after[added[name]] == (file.stat().st_mode, file.read_bytes())
    for name, (mode, text) in before.items():
        old, new = text.decode().splitlines(), after[name][1].decode().splitlines()
        assert after[name][0] == mode and len(new) > len(old)
        if name != "meson.build":
            rest = iter(new)
            assert all(line in rest for line in old), name
    texts = {name: text.decode() for name, (_, text) in after.items()}
    for name in new_files(root):
        assert texts["meson.build"].count(f"'{name}'") == name.endswith(".c")
    assert texts["meson.build"].count("dependencies: [blkhash, authz") == 1
    assert texts["meson.build"].index("blkhash = dependency") < \
        texts["meson.build"].index("qemu_img = executable")
    assert texts["qemu-img.c"].count('#include "qemu-img-checksum.h"') == 1
    # The command is before 'commit', in each list that has commands.
    for name, word in [("qemu-img-cmds.hx", 'DEF("{}"'),
                       ("docs/tools/qemu-img.rst", ".. option:: {} ")]:
        first, second = (texts[name].index(word.format(c)) for c in ("checksum", "commit"))
        assert first < second
        assert texts[name].count(word.format("checksum")) == \
            texts[name].count(word.format("commit"))
    if '{ "commit",' in texts["qemu-img.c"]:
        assert texts["qemu-img.c"].count('{ "checksum", img_checksum_cmd,') == 1
        assert texts["qemu-img.c"].count("static int img_checksum_cmd(") == 1
    else:
        assert "img_checksum" not in texts["qemu-img.c"]


def test_twice(insert, tree):
    insert(tree)
    assert refused(insert, tree) == "qemu-img-checksum.c is there already"


def test_update(root, insert, tree):
    assert refused(insert, tree, "--update") == "no qemu-img-checksum.c"
    insert(tree)
    inserted = content(tree)
    for name in new_files(root):
        [path] = tree.rglob(name)
        path.write_text("old\n")
        path.chmod(0o600)
    insert("--update", tree)
    assert content(tree) == inserted


@pytest.mark.parametrize("name", OLD)
def test_missing_file(insert, tree, name):
    (tree / name).unlink()
    assert refused(insert, tree) == f"no file {name}"


@pytest.mark.parametrize("name, line", [
    ("meson.build", "  qemu_img = executable('qemu-img', [files('qemu-img.c'"),
    ("meson.build", "             dependencies: [authz, block, crypto, io, qom, qemuutil]"),
    ("qemu-img.c", '#include "block/qapi.h"\n'),
    ("qemu-img-cmds.hx", 'DEF("commit"'),
    ("docs/tools/qemu-img.rst", ".. option:: commit ")])
def test_missing_name(insert, tmp_path, name, line):
    """Those before and after it in the tree are not changed, either."""
    tree = make_tree(tmp_path / "qemu", OLD)
    text = (tree / name).read_text()
    assert text.count(line) == 1
    (tree / name).write_text(text.replace(line, line.upper()))
    assert refused(insert, tree).startswith(f"{pathlib.Path(name).name}: no line begins with")


@pytest.mark.parametrize("line", ["static const img_cmd_t img_cmds[]", '    { "commit", '])
def test_missing_name_in_the_table(insert, tmp_path, line):
    tree = make_tree(tmp_path / "qemu", NEW)
    text = (tree / "qemu-img.c").read_text()
    assert text.count(line) == 1
    (tree / "qemu-img.c").write_text(text.replace(line, line.upper()))
    assert refused(insert, tree).startswith("qemu-img.c: no line begins with")


@pytest.mark.parametrize("options", [[], ["--update"]])
def test_missing_directory(insert, tmp_path, options):
    tree = make_tree(tmp_path / "qemu", OLD)
    if options:
        insert(tree)
    (tree / "tests").rename(tree / "other")
    assert refused(insert, tree, *options) == "no directory tests/qemu-iotests/tests"


def test_no_tree(insert, tmp_path):
    assert refused(insert, tmp_path) == "no file meson.build"
    assert refused(insert, tmp_path / "nothing") == "no file meson.build"


@pytest.mark.parametrize("args", [[], ["--nonsense"], ["--nonsense", "."], [".", "."],
                                  ["--update"], ["--update", ".", "."], ["-h"]])
def test_usage(insert, args):
    done = insert(*args, check=False)
    assert done.returncode == 2
    assert "contrib/qemu/insert [--update] SOURCE" in done.stderr
