"""``python -m eegflex``."""

import sys

from eegflex.cli.commands import main

sys.exit(main())
