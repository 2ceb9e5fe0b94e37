# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the README shows is what happens."""

import os
import re
import shutil
import subprocess


def sessions(root):
    """Pairs of a command and its output, from all blocks of the console."""
    text = (root / "README.md").read_text()
    for block in re.findall(r"```console\n(.*?)```", text, re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def test_session(root, build, tmp_path):
    shutil.copytree(root / "demo", tmp_path / "demo")
    env = {**os.environ, "PATH": f"{build}:{os.environ['PATH']}"}
    commands = list(sessions(root))
    assert len(commands) > 5
    for command, output in commands:
        done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert (command, done.stdout.decode()) == (command, output)
        assert done.returncode == ("--diff" in command)  # 1: they differ


def test_links(root):
    """Every file that the documents link to is there."""
    for page in [root / "README.md", root / "CONTRIBUTING.md",
                 *(root / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if not target.startswith("https://"):
                assert (page.parent / target).exists(), (page.name, target)


def test_lines_that_no_test_reaches(root):
    """docs/testing.md has them in tables, of which scripts/coverage makes use."""
    page = (root / "docs/testing.md").read_text()
    rows = re.findall(r"^\| `(\S+\.[ch])` \| `(.+)` \|(?: (\d+))? \|$", page, re.M)
    assert len(rows) > 50
    assert len(rows) == len(re.findall(r"^\| `(?:format|nbd|list)/", page, re.M))
    for name, _, _ in rows:
        assert (root / name).exists(), name
