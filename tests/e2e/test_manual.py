# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual page of the command says what happens: the keys of --json
are those that it has. (Its options: test_build.py.)"""

import json
import re
import subprocess

from oracle import write_image


def section(root, title):
    page = (root / "man/disksum.1.scd").read_text()
    [text] = re.findall(rf"^# {title}\n(.*?)(?=^# [A-Z]|\Z)", page, re.M | re.S)
    return text


# --- JSON ---------------------------------------------------------------------

def documented(root):
    """The keys, and the types of their values."""
    return dict(re.findall(r"^\*([a-z-]+)\* \((\w+)\)$", section(root, "JSON"),
                           re.M))


def printed(value):
    """Each key with the type of its value, also of objects within."""
    names = {str: "string", int: "number", float: "number", list: "array"}
    for key, part in value.items():
        yield key, names[type(part)]
        for below in part if isinstance(part, list) else []:
            yield from printed(below)


def test_json_keys(disksum, root, tmp_path):
    write_image(tmp_path / "base\udcff", "64k:A")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
                    "-b", b"base\xff", b"top\xff"], cwd=tmp_path, check=True)
    out = disksum("--json", "top\udcff", "no\udcff", "no", cwd=tmp_path,
                  check=False).stdout
    top, no_utf8, no = map(json.loads, out.splitlines())
    assert {**dict(printed(top)), **dict(printed(no))} == documented(root)
    assert set(documented(root)) - set(top) == {"error"}
    assert set(no_utf8) == {"filename", "filename-hex", "error"}
    assert set(no) == {"filename", "error"}
    assert top["data"] + top["zero"] + top["hole"] == top["virtual-size"]
