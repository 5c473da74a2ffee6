"""``python -m eegflex``."""

import sys

from eegflex.cli import main

sys.exit(main())
