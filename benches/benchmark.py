"""What every benchmark does around what it measures: a directory of its own, and how it ends."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import load
import servers


def run(work):
    """Calls `work` with a directory that is gone afterwards; the exit code of the benchmark."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    directory = Path(tempfile.mkdtemp(prefix="dohost-bench-"))
    # Nothing that was compiled before makes a start look fast.
    os.environ["DOHOST_CACHE_DIR"] = str(directory / "cache")
    try:
        work(directory)
        return 0
    except (servers.Missing, load.Wrong) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
