"""Models that other libraries exported, taken in as packages: `takt models import`.

`reading` and `sizes` open the file without trusting it, `layouts` tells whose outputs it has, `wrapping` puts the
camera's uint8 before it and the package's outputs behind it, `trying` runs and proves the result, `importer` is the
order of these steps.
"""
