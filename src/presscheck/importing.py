"""Imports a system's experiment, with an error that says what is missing."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from presscheck.catalog import System
from presscheck.errors import BadInput


def import_experiment(system: System) -> Any:
    """The module ``experiment`` of a system.

    Raises:
        BadInput: if the packages that it needs are not installed, or it is not there.
    """
    if system.origin == "path":
        top = system.folder
        for _ in system.package.split("."):
            top = top.parent
        if str(top) not in sys.path:
            sys.path.insert(0, str(top))
    name = f"{system.package}.experiment"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if name.startswith(error.name or "-"):
            raise BadInput(f"{system.folder} has no experiment.py that can be imported: {error}") from error
        missing = (error.name or "a package").split(".")[0]
        extras = ",".join(system.manifest().system.extras)
        hint = f"`pip install 'presscheck[{extras}]'`" if extras else f"`pip install {missing}`"
        raise BadInput(f"{system.slug} needs {missing}", hint=hint) from error
    if Path(str(module.__file__)).parent != system.folder:
        raise BadInput(
            f"another {system.package} is imported already, from {Path(str(module.__file__)).parent}",
            hint=f"rename the folder {system.folder}",
        )
    return module
