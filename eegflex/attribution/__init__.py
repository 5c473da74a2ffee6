"""Attribution: quadrature, baselines, views, and the verbs that put them together."""
