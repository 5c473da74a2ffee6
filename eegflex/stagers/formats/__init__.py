"""One file a kind of model, imported only when such a model is loaded."""
