# SPDX-License-Identifier: LGPL-2.1-or-later
"""What conftest.py of this directory has, for test directories beside it: they have a
conftest.py, too, so this one needs another name."""

import importlib.util
import pathlib
import sys

NAME = "e2e_conftest"

spec = importlib.util.spec_from_file_location(
    NAME, pathlib.Path(__file__).with_name("conftest.py"))
conftest = importlib.util.module_from_spec(spec)
sys.modules[NAME] = conftest
spec.loader.exec_module(conftest)
