"""Let torchaudio be imported beside a CPU build of torch, in an environment of tests.

Its wheel has a compiled library for CUDA, which cannot be loaded there, and importing torchaudio fails with it. braindecode
uses its Python functions only, and these work when the library is out of the way. Where torchaudio works, nothing is done.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path


def main() -> None:
    found = importlib.util.find_spec("torchaudio")
    works = subprocess.run([sys.executable, "-c", "import torchaudio"], capture_output=True).returncode == 0
    library = Path(str(found.origin)).with_name("lib") if found else Path("lib")
    if found and not works and library.exists():
        library.rename(library.with_name("lib.cuda"))
        print(f"{library} is out of the way")


if __name__ == "__main__":
    main()
