# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random images and command lines (tests/soak), the same in each run: a new one may find
a fault of QEMU, which is no reason to refuse a change. 'make soak' runs new ones."""

import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tests/soak"))

from case import Failure  # noqa: E402 (found there)
from cases import KINDS, run_case  # noqa: E402

# Of each kind.
COUNT = {"qcow2": 14, "commands": 9}
SOME = 5


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("name", [f"{kind}:{number}" for kind in KINDS
                                  for number in range(COUNT.get(kind, SOME))])
def test_case(build, tmp_path, name):
    run_case(name, build / "disksum", tmp_path)


# --- what the cases find -----------------------------------------------------------

@pytest.fixture
def fails(build, tmp_path):
    """Run cases until one fails, on a program in the place of disksum. Returns why."""
    def run(script, kind, count=20):
        program = tmp_path / "disksum"
        program.write_text(f'#!/bin/sh\nreal="{build}/disksum"\n{script}\n')
        program.chmod(0o755)
        for number in range(count):
            try:
                run_case(f"{kind}:{number}", program, tmp_path)
            except Failure as failure:
                assert f"again: tests/soak/run --build={tmp_path} {kind}:{number}" in \
                    str(failure)
                return str(failure).split("\n\n")[0]
        return None
    return run


WRONG_SUM = '"$real" "$@" | sed "s/^[0-9a-f]/f/; t; s/= [0-9a-f]/= f/"'
REAL = 'exec "$real" "$@"'


def test_wrong_checksum_is_found(fails):
    assert "the checksum: " in fails(WRONG_SUM, "raw")


def test_message_is_found(fails):
    assert "stderr: disksum: odd" in fails(f'echo "disksum: odd" >&2; {REAL}', "raw")


@pytest.mark.parametrize("script, why", [
    (f'[ "$1" = --long-options ] || kill -SEGV $$; {REAL}', "exit status -11"),
    ('"$real" "$@" || exit 3', "exit status 3"),
    (f'echo odd >&2; {REAL}', "a line on stderr: b'odd'"),
    (f'[ "$1" = --long-options ] || touch left; {REAL}',
     "files that were written: {'left'}"),
    ('"$real" "$@"; status=$?; [ $status != 2 ] || echo output 2>/dev/null; exit $status',
     "output with wrong usage"),
    (f'[ "$1" = --long-options ] || touch "$TMPDIR/left"; {REAL}',
     "left in TMPDIR: ['left']"),
    ('"$real" "$@"; status=$?; for last; do :; done; '
     '[ $status != 1 ] || echo "00000000000000000000000000000000  $last" 2>/dev/null; '
     'exit $status',
     "a checksum of "),
    ('"$real" "$@" 2>/dev/null', "without a message")],
    ids=["crash", "status", "stderr", "file", "usage", "tmpdir", "checksum", "silent"])
def test_broken_command_is_found(fails, script, why):
    assert why in fails(script, "commands")
