"""What tests of stagers share."""

import os

# Keras chooses its backend when it is first imported, which a test may do before the library does.
os.environ.setdefault("KERAS_BACKEND", "torch")
