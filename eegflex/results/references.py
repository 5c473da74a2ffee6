"""Works that a methods paragraph cites: each once, as text and as BibTeX."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["REFERENCES", "Reference", "cited_by"]

#: More authors than these are cut to the first.
MOST_AUTHORS = 6


@dataclass(frozen=True)
class Reference:
    """A work.

    Attributes
    ----------
    authors : tuple of str
        Family name, given names.
    year : int
        When it was published.
    title : str
        Its title.
    where : str
        The journal, the book, or the archive and the number there; empty where that is not known.
    volume, pages, doi : str
        Empty where there is none, or no source confirmed it; a volume can have its issue, ``"27(3)"``.
    kind : {"article", "inproceedings", "incollection", "misc"}
        What BibTeX calls it.
    """

    authors: tuple[str, ...]
    year: int
    title: str
    where: str = ""
    volume: str = ""
    pages: str = ""
    doi: str = ""
    kind: str = "article"

    @property
    def key(self) -> str:
        """What BibTeX calls it, such as ``"hanna2023"``."""
        plain = self.authors[0].partition(",")[0].casefold().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
        return re.sub("[^a-z]", "", plain) + str(self.year)

    @property
    def short(self) -> str:
        """As it stands in a text, such as ``"Hanna and Flöel 2023"``."""
        names = [one.partition(",")[0] for one in self.authors]
        who = names[0] if len(names) == 1 else " and ".join(names) if len(names) == 2 else f"{names[0]} et al."
        return f"{who} {self.year}"

    def __str__(self) -> str:
        listed = self.authors if len(self.authors) <= MOST_AUTHORS else (self.authors[0], "et al.")
        places = ", ".join(filter(None, (" ".join(filter(None, (self.where, self.volume))), self.pages)))
        said = [f"{'; '.join(listed)} ({self.year}).", f"{self.title}.", f"{places}." * bool(places)]
        return " ".join(filter(None, (*said, f"doi:{self.doi}" * bool(self.doi))))

    def to_bibtex(self) -> str:
        """The work as an entry of BibTeX."""
        volume, _, number = self.volume.rstrip(")").partition("(")
        fields = {
            "title": f"{{{self.title}}}", "author": " and ".join(self.authors), "year": str(self.year),
            _PLACES[self.kind]: self.where, "volume": volume, "number": number, "pages": self.pages.replace("–", "--"),
            "doi": self.doi,
        }  # fmt: skip
        lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
        return f"@{self.kind}{{{self.key},\n{lines}}}"


#: Kind of a work -> the field of BibTeX that says where it stands.
_PLACES = {"article": "journal", "inproceedings": "booktitle", "incollection": "booktitle", "misc": "howpublished"}
_TNSRE = "IEEE Transactions on Neural Systems and Rehabilitation Engineering"
_ICML = "Proceedings of the 34th International Conference on Machine Learning, PMLR"
_NEURIPS = "Advances in Neural Information Processing Systems"

#: name -> the work. Each field was compared with the work's own page, or with what others' lists of references say of it; of
#: Hall 1992 none was at hand, so that it has no pages.
REFERENCES: dict[str, Reference] = {
    # stagers
    "gssc": Reference(
        ("Hanna, Jevri", "Flöel, Agnes"), 2023,
        "An accessible and versatile deep learning-based sleep stage classifier", "Frontiers in Neuroinformatics", "17",
        "1086634", "10.3389/fninf.2023.1086634",
    ),
    "yasa": Reference(
        ("Vallat, Raphael", "Walker, Matthew P."), 2021,
        "An open-source, high-performance tool for automated sleep staging", "eLife", "10", "e70092", "10.7554/eLife.70092",
    ),
    "seqsleepnet": Reference(
        ("Phan, Huy", "Andreotti, Fernando", "Cooray, Navin", "Chén, Oliver Y.", "De Vos, Maarten"), 2019,
        "SeqSleepNet: end-to-end hierarchical recurrent neural network for sequence-to-sequence automatic sleep staging",
        _TNSRE, "27(3)", "400–410", "10.1109/TNSRE.2019.2896659",
    ),
    "tinysleepnet": Reference(
        ("Supratak, Akara", "Guo, Yike"), 2020,
        "TinySleepNet: an efficient deep learning model for sleep stage scoring based on raw single-channel EEG",
        "42nd Annual International Conference of the IEEE Engineering in Medicine and Biology Society", "", "641–644",
        "10.1109/EMBC44109.2020.9176741", "inproceedings",
    ),
    "chambon": Reference(
        ("Chambon, Stanislas", "Galtier, Mathieu N.", "Arnal, Pierrick J.", "Wainrib, Gilles", "Gramfort, Alexandre"), 2018,
        "A deep learning architecture for temporal sleep stage classification using multivariate and multimodal time series",
        _TNSRE, "26(4)", "758–769", "10.1109/TNSRE.2018.2813138",
    ),
    "sleeptransformer": Reference(
        ("Phan, Huy", "Mikkelsen, Kaare", "Chén, Oliver Y.", "Koch, Philipp", "Mertins, Alfred", "De Vos, Maarten"), 2022,
        "SleepTransformer: automatic sleep staging with interpretability and uncertainty quantification",
        "IEEE Transactions on Biomedical Engineering", "69(8)", "2456–2467", "10.1109/TBME.2022.3147187",
    ),
    "usleep": Reference(
        (
            "Perslev, Mathias", "Darkner, Sune", "Kempfner, Lykke", "Nikolic, Miki", "Jennum, Poul Jørgen", "Igel, Christian",
        ), 2021,
        "U-Sleep: resilient high-frequency sleep staging", "npj Digital Medicine", "4", "72", "10.1038/s41746-021-00440-5",
    ),
    "deepsleepnet": Reference(
        ("Supratak, Akara", "Dong, Hao", "Wu, Chao", "Guo, Yike"), 2017,
        "DeepSleepNet: a model for automatic sleep stage scoring based on raw single-channel EEG", _TNSRE, "25(11)",
        "1998–2008", "10.1109/TNSRE.2017.2721116",
    ),
    "attnsleep": Reference(
        (
            "Eldele, Emadeldeen", "Chen, Zhenghua", "Liu, Chengyu", "Wu, Min", "Kwoh, Chee-Keong", "Li, Xiaoli",
            "Guan, Cuntai",
        ), 2021,
        "An attention-based deep learning approach for sleep stage classification with single-channel EEG", _TNSRE, "29",
        "809–818", "10.1109/TNSRE.2021.3076234",
    ),
    "blanco": Reference(
        ("Fernandez-Blanco, Enrique", "Rivero, Daniel", "Pazos, Alejandro"), 2020,
        "Convolutional neural networks for sleep stage scoring on a two-channel EEG signal", "Soft Computing", "24",
        "4067–4079", "10.1007/s00500-019-04174-1",
    ),
    "sleepyland": Reference(
        (
            "Dei Rossi, Alvise", "Metaldi, Matteo", "Bechny, Michal", "Filchenko, Irina", "van der Meer, Julia",
            "Schmidt, Markus H.", "Bassetti, Claudio L. A.", "Tzovara, Athina", "Faraci, Francesca D.", "Fiorillo, Luigi",
        ), 2026,
        "SLEEPYLAND: trust begins with fair evaluation of automatic sleep staging models", "npj Digital Medicine", "9",
        "55", "10.1038/s41746-025-02237-2",
    ),
    "physioex": Reference(
        (
            "Gagliardi, Guido", "Alfeo, Luca", "Cimino, Mario G. C. A.", "Valenza, Gaetano", "De Vos, Maarten",
        ), 2025,
        "PhysioEx, a new Python library for explainable sleep staging through deep learning", "Physiological Measurement",
        doi="10.1088/1361-6579/adaf73",
    ),
    # methods
    "flex": Reference(
        (
            "Gräve, Paul", "Steinbrinker, T.", "Ehrlich, F.", "Hempel, P.", "Zaschke, P.", "Krefting, D.", "Spicher, N.",
        ), 2025,
        "Using EEG frequency attributions to explain the classifications of a deep neural network for sleep staging",
        kind="misc",
    ),
    "ig": Reference(
        ("Sundararajan, Mukund", "Taly, Ankur", "Yan, Qiqi"), 2017,
        "Axiomatic attribution for deep networks", _ICML, "70", "3319–3328", "", "inproceedings",
    ),
    "saliency": Reference(
        ("Simonyan, Karen", "Vedaldi, Andrea", "Zisserman, Andrew"), 2013,
        "Deep inside convolutional networks: visualising image classification models and saliency maps",
        "arXiv:1312.6034", doi="10.48550/arXiv.1312.6034", kind="misc",
    ),
    "deeplift": Reference(
        ("Shrikumar, Avanti", "Greenside, Peyton", "Kundaje, Anshul"), 2017,
        "Learning important features through propagating activation differences", _ICML, "70", "3145–3153", "",
        "inproceedings",
    ),
    "gradient_shap": Reference(
        ("Lundberg, Scott M.", "Lee, Su-In"), 2017,
        "A unified approach to interpreting model predictions", _NEURIPS, "30", "4765–4774", "", "inproceedings",
    ),
    "shapley": Reference(
        ("Shapley, Lloyd S.",), 1953, "A value for n-person games", "Contributions to the Theory of Games", "2", "307–317",
        "10.1515/9781400881970-018", "incollection",
    ),
    "captum": Reference(
        ("Kokhlikyan, Narine", "Miglani, Vivek", "Martin, Miguel", "Wang, Edward", "Alsallakh, Bilal", "Reynolds, Jonathan",
         "Melnikov, Alexander", "Kliushkina, Natalia", "Araya, Carlos", "Yan, Siqi", "Reblitz-Richardson, Orion"), 2020,
        "Captum: a unified and generic model interpretability library for PyTorch", "arXiv:2009.07896",
        doi="10.48550/arXiv.2009.07896", kind="misc",
    ),
    "aperiodic": Reference(
        ("Donoghue, Thomas", "Haller, Matar", "Peterson, Erik J.", "Varma, Paroma", "Sebastian, Priyadarshini",
         "Gao, Richard", "Noto, Torben", "Lara, Antonio H.", "Wallis, Joni D.", "Knight, Robert T.", "Shestyuk, Avgusta",
         "Voytek, Bradley"), 2020,
        "Parameterizing neural power spectra into periodic and aperiodic components", "Nature Neuroscience", "23",
        "1655–1665", "10.1038/s41593-020-00744-x",
    ),
    # evaluation and intervals
    "sanity": Reference(
        ("Adebayo, Julius", "Gilmer, Justin", "Muelly, Michael", "Goodfellow, Ian", "Hardt, Moritz", "Kim, Been"), 2018,
        "Sanity checks for saliency maps", _NEURIPS, "31", "", "10.48550/arXiv.1810.03292", "inproceedings",
    ),
    "infidelity": Reference(
        ("Yeh, Chih-Kuan", "Hsieh, Cheng-Yu", "Suggala, Arun", "Inouye, David I.", "Ravikumar, Pradeep"), 2019,
        "On the (in)fidelity and sensitivity of explanations", _NEURIPS, "32", "", "", "inproceedings",
    ),
    "medians": Reference(
        ("Woodruff, Ralph S.",), 1952, "Confidence intervals for medians and other position measures",
        "Journal of the American Statistical Association", "47(260)", "635–646", "10.1080/01621459.1952.10483443",
    ),
    "means": Reference(
        ("Hall, Peter",), 1992, "On the removal of skewness by transformation",
        "Journal of the Royal Statistical Society B", "54",
    ),
    # software
    "mne": Reference(
        ("Gramfort, Alexandre", "Luessi, Martin", "Larson, Eric", "Engemann, Denis A.", "Strohmeier, Daniel",
         "Brodbeck, Christian", "Goj, Roman", "Jas, Mainak", "Brooks, Teon", "Parkkonen, Lauri", "Hämäläinen, Matti S."),
        2013, "MEG and EEG data analysis with MNE-Python", "Frontiers in Neuroscience", "7", "267",
        "10.3389/fnins.2013.00267",
    ),
}  # fmt: skip

#: How the citations of specs begin -> the work.
_BEGINNINGS = {
    "Hanna & Floeel 2023": "gssc",
    "Vallat and Walker 2021": "yasa",
    "Phan et al. 2019": "seqsleepnet",
    "Supratak and Guo 2020": "tinysleepnet",
    "Chambon et al. 2018": "chambon",
    "Phan et al. 2022": "sleeptransformer",
    "Perslev et al. 2021": "usleep",
    "Supratak et al. 2017": "deepsleepnet",
    "Eldele et al. 2021": "attnsleep",
    "Fernandez-Blanco et al. 2020": "blanco",
    "Dei Rossi et al. 2026": "sleepyland",
    "weights: Gagliardi et al., PhysioEx": "physioex",
}


def cited_by(citation: str) -> tuple[list[str], list[str]]:
    """Names of the works that a spec's citation is of, and the parts of it that no work here is.

    Examples
    --------
    >>> cited_by("Perslev et al. 2021, U-Sleep: resilient high-frequency sleep staging; network: braindecode")
    (['usleep'], ['network: braindecode'])
    """
    known, others = [], []
    for part in filter(None, map(str.strip, citation.split(";"))):
        name = next((name for start, name in _BEGINNINGS.items() if part.startswith(start)), None)
        if name is None:
            others.append(part)
        else:
            known.append(name)
    return known, others
