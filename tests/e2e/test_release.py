# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/releasing.md: its commands, up to those that need a key, make an archive
that builds and passes tests."""

import os
import re
import shutil
import tarfile

import pytest

from test_packages import copy_of_the_tree, run, versions


def commands(page):
    """Those before the tag."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", page.split("\n## Tag\n")[0],
                                re.M | re.S))


@pytest.mark.skipif(not shutil.which("git"), reason="no git")
def test_archive(root, tmp_path):
    """In a hurry: without optimization."""
    source = tmp_path / "disksum"
    copy_of_the_tree(root, source)
    env = {**os.environ, "CFLAGS": "-O0", "GIT_CONFIG_GLOBAL": os.devnull,
           **{f"GIT_{who}_{what}": f"test@{who.lower()}.invalid"
              for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}}
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "release"]):
        run("git", *command, cwd=source, env=env)
    out = run("sh", "-eux", "-c", commands((root / "docs/releasing.md").read_text()),
              cwd=source, env=env)
    assert "Fail:               0" in out
    [archive] = (source / "build-release/meson-dist").glob("*.gz")
    assert archive.name == f"disksum-{versions(root)[0]}.tar.gz"
    with tarfile.open(archive) as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    assert {"meson.build", "NEWS.md", "debian/rules", "tests/run.py"} <= names
    assert not [name for name in names if name.startswith("build")]


def test_spec_takes_the_archive(root):
    spec = (root / "rpm/disksum.spec").read_text()
    assert re.search(r"^Source0: +%\{name\}-%\{version\}\.tar\.gz$", spec, re.M)


def test_news_has_the_version(root):
    [first, *_] = re.findall(r"^## (\S+)", (root / "NEWS.md").read_text(), re.M)
    assert first == versions(root)[0]
