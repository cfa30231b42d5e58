"""Looks for names that a Terraform module uses and does not have, and for variables and locals that nothing uses."""

import pathlib
import re
import sys

wrong = []
for folder in sys.argv[1:]:
    text = "\n".join(path.read_text() for path in sorted(pathlib.Path(folder).glob("*.tf")))
    text = re.sub(r"(?m)^\s*#.*$", "", text)
    has = {f"var.{name}" for name in re.findall(r'(?m)^variable "(\w+)"', text)}
    has |= {f"module.{name}" for name in re.findall(r'(?m)^module "(\w+)"', text)}
    has |= {f"{kind}.{name}" for kind, name in re.findall(r'(?m)^resource "(\w+)" "(\w+)"', text)}
    for block in re.findall(r"(?ms)^locals \{\n(.*?)^\}", text):
        has |= {f"local.{name}" for name in re.findall(r"(?m)^  (\w+)\s*=", block)}
    uses = {f"{kind}.{name}" for kind, name in re.findall(r"\b(var|local|module|(?:aws|minio)_\w+)\.(\w+)", text)}
    wrong += [f"{folder}: {name} is not there" for name in sorted(uses - has)]
    wrong += [f"{folder}: {name} is not used" for name in sorted(has - uses) if name.startswith(("var.", "local."))]
if wrong:
    sys.exit("\n".join(wrong))
