"""What a result says of itself in words for a paper, as its methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from eegflex.results.paper import methods_of
from eegflex.utils.arguments import checked_methods

if TYPE_CHECKING:
    from eegflex.results.result import FlexResult

__all__ = ["ResultText"]


@checked_methods
class ResultText:
    """The methods section of a paper about a result."""

    def methods_text(self) -> str:
        """Write the methods section of a paper from the provenance of the result.

        Returns
        -------
        text : str
            Paragraphs about the recording, the stager, the attribution with its baseline and errors, intervals, the evaluation
            if there was one, and software; then the works that they cite. What the result does not know is not stated.

        Raises
        ------
        ParameterError
            If the result is of several recordings.

        See Also
        --------
        bibtex : The works, as BibTeX.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
        >>> print(result.methods_text()[:77])
        One recording of 60 epochs of 30 s (0.5 h), recorded at 128 Hz, was analysed.
        """
        return str(methods_of(cast("FlexResult", self)))

    def bibtex(self) -> str:
        """Return the works that `methods_text` cites, as BibTeX.

        Returns
        -------
        entries : str
            One entry for each.

        Examples
        --------
        >>> import eegflex
        >>> night = eegflex.simulate_psg(hours=0.5, sfreq=128, seed=1, verbose="error")
        >>> epochs = eegflex.make_epochs(night.raw, verbose="error")
        >>> result = eegflex.attribute_epochs(epochs, "bandpower", sample_per_stage=2, verbose="error")
        >>> print(result.bibtex().splitlines()[0])
        @article{gramfort2013,
        """
        return methods_of(cast("FlexResult", self)).to_bibtex()
