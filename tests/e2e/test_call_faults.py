# SPDX-License-Identifier: LGPL-2.1-or-later
"""The n-th allocation, read, thread, descriptor, ... of a run fails, or all from the n-th on.
The run ends with the right checksum or, if there is none, with one line on stderr, exit
status 1 and no checksum. It does not crash or hang, and leaves no process and no file.

Here, a sample of the calls fails; 'make faults' lets each of them fail, and looks for leaks,
too. A table at the end of pytest's output says how many calls there were."""

import re
import shutil

import pytest

from call_faults import KINDS, Fault, Program, complaint, fail_all, fail_some
from fault_cases import CASES, Maker, check_json, export_of_host, missing, named_export
from tls_fault_cases import HOSTILE, TLS_CASES

# How many calls of a kind fail, alone and with the rest, where not all do.
SAMPLE = {"one": 4, "rest": 2}
HOSTILE_SAMPLE = {"one": 1000, "rest": 10}


@pytest.fixture
def load(build, servers):
    """Make a case, and load the program for it."""
    loaded = []

    def load(make):
        images = servers.directory / "images"
        images.mkdir()
        case = make(Maker(build, images, servers))
        loaded.append(Program(build, case, servers.directory / "run"))
        return case, loaded[-1]
    yield load
    for program in loaded:
        program.end()


@pytest.mark.sanitizer(every=7)
@pytest.mark.one_thread
@pytest.mark.parametrize("make", CASES + TLS_CASES, ids=lambda make: make.__name__)
def test_each_call(load, make, record_property):
    _, program = load(make)
    row, wrong = fail_all(program, make.__name__, dict.fromkeys(KINDS, SAMPLE))
    record_property("calls", (make.__name__, row))
    assert not wrong


@pytest.mark.skipif(not shutil.which("qemu-storage-daemon"), reason="no qemu-storage-daemon")
@pytest.mark.parametrize("make", [named_export, export_of_host],
                         ids=lambda make: make.__name__)
def test_uri_is_not_lost(load, make):
    """Without a part of the URI, the default would be read: an export, or a host."""
    case, program = load(make)
    good = program.run()
    assert case.sums[0].encode() in good.stdout
    for number in range(1, program.run().calls + 1):
        fault = Fault("memory", number)
        bad = program.run(fault)
        assert complaint(case, good, bad, fault) is None, (fault, bad)
        assert "localhost:10809" not in bad.stderr, (fault, bad)


def test_message_is_not_lost(load):
    """Without memory for it, it is another."""
    case, program = load(missing)
    good = program.run()
    assert good.status == 1 << 8
    for number in range(1, program.run().calls + 1):
        fault = Fault("memory", number)
        bad = program.run(fault)
        assert complaint(case, good, bad, fault) is None, (fault, bad)


def test_member_of_json_is_not_lost(load):
    """Without a part of the line, the image would not match, or the line would be none."""
    case, program = load(check_json)
    good = program.run()
    assert good.stdout.endswith(b": OK\n")
    for number in range(1, program.run().calls + 1):
        fault = Fault("memory", number)
        bad = program.run(fault)
        assert complaint(case, good, bad, fault) is None, (fault, bad)
        assert bad.status == good.status or re.search("memory", bad.stderr), (fault, bad)


@pytest.mark.parametrize("make, reason", HOSTILE, ids=[make.__name__ for make, _ in HOSTILE])
def test_hostile_server_stays_refused(load, make, reason):
    """Whatever fails, a server is verified, and by what the user said."""
    case, program = load(make)
    good = program.run()
    assert (good.status, good.stdout) == (1 << 8, b"")
    assert reason in good.stderr
    for kind in KINDS:
        _, _, wrong = fail_some(program, make.__name__, kind, "program", HOSTILE_SAMPLE)
        assert not wrong
