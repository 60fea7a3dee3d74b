"""Remove from installed packages what nothing without torch loads, and the symbols of their libraries.

For the image `cpu`, and for a base installation where disk is scarce.
Usage: slim.py SITE-PACKAGES        needs strip, of Debian's package binutils
"""

import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NEVER_LOADED = (
    # Arrow: servers of Flight; what compilers need, a library under the names that linkers look for among it.
    "pyarrow/include",
    "pyarrow/includes",
    "pyarrow/src",
    "pyarrow/libarrow_python*.so",
    "pyarrow/libarrow_python*.so.*.*.*",
    "pyarrow/*flight*",
    "numpy/_core/include",
    # OpenVINO: devices and file formats other than a processor, its own format, ONNX and TFLite.
    "openvino/include",
    "openvino/libs/cache.json",
    "openvino/libs/libopenvino_intel_[gn]pu_plugin.so",
    *(f"openvino/libs/libopenvino_{name}_frontend.so*" for name in ("gguf", "jax", "paddle", "pytorch")),
    # Tests, type stubs and sources of all of them.
    "**/test",
    "**/tests",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.px[di]",
    "**/*.a",
)


def remove_unused(site: Path) -> None:
    """Remove what no command loads."""
    for pattern in NEVER_LOADED:
        for path in list(site.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def loadable(library: Path) -> bool:
    """Whether the dynamic loader would take a library: its segments lie in the file as they do in memory, by page."""
    data = library.read_bytes()
    if data[:5] != b"\x7fELF\x02":
        return False
    (table,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for n in range(count):
        kind, _, offset, address, _, _, _, align = struct.unpack_from("<IIQQQQQQ", data, table + n * size)
        if kind == 1 and align > 1 and (offset - address) % align:
            return False
    return True


def libraries(site: Path) -> Iterator[Path]:
    """Shared libraries, each once."""
    for pattern in ("**/*.so", "**/*.so.*"):
        yield from (path for path in site.glob(pattern) if path.is_file() and not path.is_symlink())


def strip_symbols(site: Path) -> None:
    """Strip each library of symbols that only debuggers read; one that binutils would break is left as it is."""
    for library in list(libraries(site)):
        stripped = library.with_name(library.name + ".stripped")
        done = subprocess.run(["strip", "--strip-unneeded", "-o", stripped, library], capture_output=True, check=False)
        if done.returncode == 0 and loadable(stripped):
            shutil.copymode(library, stripped)
            stripped.replace(library)
        stripped.unlink(missing_ok=True)


if __name__ == "__main__":
    if (Path(sys.argv[1]) / "torch").exists():
        sys.exit("torch is installed here, and loads some of what would be removed: nothing was changed")
    remove_unused(Path(sys.argv[1]))
    strip_symbols(Path(sys.argv[1]))
