"""All methods: FLEX, captum's on the frequency-domain model F o irfft, and those that only predict.

A method is one entry here, with what its numbers mean.
"""

from __future__ import annotations

from eegflex.attribution.adaptive import N_FIRST
from eegflex.attribution.baselines import is_drawn
from eegflex.attribution.methods.flex import explain_flex
from eegflex.attribution.methods.method import N_SAMPLES, Method
from eegflex.attribution.methods.on_bands import by_captum, exact_shapley, on_bands
from eegflex.attribution.methods.on_spectrum import deeplift, gradient_shap, input_x_gradient, on_magnitudes, saliency
from eegflex.errors import ParameterError, check_choice
from eegflex.results.wording import MethodWords
from eegflex.settings import AUTO, CONTEXTS, MEAN, VIEWS, Settings

__all__ = ["METHODS", "method_of"]

METHODS = {
    "flex": Method(explain_flex, MethodWords("FLEX"), on_path=True, views=VIEWS, contexts=CONTEXTS),
    "saliency": Method(
        on_magnitudes(saliency),
        MethodWords(
            "saliency",
            "The attributions are the slopes of the score at the epoch as recorded: what it would gain for each unit that the "
            "magnitude of a frequency grew. No baseline takes part in them",
            subject="a little more of {what}",
            compared="",
            raised="would raise",
            lowered="would lower",
            per="unit magnitude",
        ),
        turns_phases=False,
    ),
    "input_x_gradient": Method(
        on_magnitudes(input_x_gradient),
        MethodWords(
            "input × gradient",
            "The attributions are the magnitude of each frequency times the slope of the score at the epoch as recorded",
            compared=", by the slope of the score at the epoch itself,",
        ),
        baselines=("zero",),
    ),
    "deeplift": Method(on_magnitudes(deeplift), MethodWords("DeepLIFT on the spectrum"), turns_phases=False),
    "gradient_shap": Method(
        on_magnitudes(gradient_shap, N_SAMPLES, draws=True),
        MethodWords("GradientSHAP on the spectrum"),
        turns_phases=False,
    ),
    "shapley": Method(
        on_bands(exact_shapley), MethodWords("exact Shapley values of the bands"), differentiates=False, views=()
    ),
    "shapley_sampling": Method(
        on_bands(by_captum("ShapleyValueSampling", n_samples=N_SAMPLES)),
        MethodWords("sampled Shapley values of the bands"),
        differentiates=False,
        views=(),
    ),
    "feature_ablation": Method(
        on_bands(by_captum("FeatureAblation")),
        MethodWords(
            "ablation of the bands",
            "The attributions are what the score loses when one band of one channel alone is replaced by the baseline",
            compared=", compared with {baseline} in its place,",
        ),
        differentiates=False,
        views=(),
    ),
}


def method_of(settings: Settings) -> Method:
    """The method that is asked for.

    Raises
    ------
    ParameterError
        If there is none of that name, or it cannot do what is asked of it.
    """
    name, baseline = settings.method, settings.baseline
    check_choice("method", name, tuple(METHODS))
    method = METHODS[name]
    check_choice(f"context with method={name!r}", settings.context, method.contexts)
    if method.baselines and baseline != AUTO:
        given = baseline if isinstance(baseline, str) else "an array"
        check_choice(f"baseline with method={name!r}", given, method.baselines)
    if is_drawn(baseline) and not method.turns_phases:
        raise ParameterError(
            f"method={name!r} attributes to magnitudes, and {baseline!r} has other phases too",
            allowed="a baseline with the phases of the epoch, such as 'recording'",
            remedy="Take that, or a method that explains phases too, such as method='flex'",
        )
    for view in settings.views[1:]:  # the first, frequency, becomes bands where there is nothing finer
        check_choice(f"views with method={name!r}", view, method.views)
    if settings.second_opinion is not None and not (method.on_path and settings.context == "fixed"):
        raise ParameterError(
            "A second opinion is one on FLEX, with the context as recorded",
            seen=f"method={name!r}, context={settings.context!r}",
            remedy="Leave second_opinion out, or take method='flex' and context='fixed'",
        )
    if settings.precision == MEAN and not method.on_path:
        raise ParameterError(
            "precision='mean' draws nodes on paths, which this method does not take",
            seen=f"method={name!r}",
            remedy="Leave precision out, or take method='flex'",
        )
    if method.on_path and settings.is_adaptive and settings.max_evals < N_FIRST:
        raise ParameterError(
            f"max_evals must be at least {N_FIRST}, which the adaptive quadrature begins with", seen=settings.max_evals
        )
    return method
