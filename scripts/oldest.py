"""Print the lower bounds of setup.cfg as pip's constraints: the oldest versions that ClassWaves says it works with."""

import configparser
import re
from pathlib import Path

setup = configparser.ConfigParser()
setup.read(Path(__file__).parents[1] / "setup.cfg")
for line in setup["options"]["install_requires"].split("\n"):
    if found := re.fullmatch(r"([A-Za-z-]+)(?:\[\w+\])?>=([\d.]+)", line.strip()):
        exact = found[2].count(".") > 1
        print(f"{found[1]}=={found[2]}{'' if exact else '.*'}")  # a bound of two parts means the series
