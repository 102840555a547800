"""`make bench`: prints what Quire costs beside the goals of its issues; it never fails for a figure.

PARTS chooses: exits, apicv, debian, sched, ipi, smp, merging, compression, large, density.
"""
import sys

from .apicv import bench_apicv
from .compression import bench_compression
from .debian import bench_linux
from .density import bench_density
from .exits import bench_exits
from .large import bench_large
from .merging import bench_merging
from .sched import bench_sched
from .smp import bench_ipi, bench_smp

PARTS = {"exits": bench_exits, "apicv": bench_apicv, "debian": bench_linux, "sched": bench_sched, "ipi": bench_ipi,
         "smp": bench_smp, "merging": bench_merging, "compression": bench_compression, "large": bench_large,
         "density": bench_density}

for name in sys.argv[1:] or PARTS:
    try:
        PARTS[name]()
    except Exception as e:  # a figure that cannot be had does not hide the others
        print(f"{name}: {e}")
