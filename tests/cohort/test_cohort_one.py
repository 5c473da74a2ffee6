"""One recording of a cohort, without a cluster."""

import dataclasses

import cohort_files
import numpy as np
import pytest

import eegflex
from eegflex.cohort import list_recordings
from eegflex.cohort.folder import Folder
from eegflex.cohort.job import make_job, seed_of
from eegflex.cohort.one import explain_recording

pytestmark = pytest.mark.slow


def job_of(root, **more):
    asked = {name: value for name, value in cohort_files.QUICK.items() if name != "evaluate"}
    return make_job(root, "bandpower", {**asked, "sample_per_stage": 1, **more}, evaluate=0, reports=False)


def test_a_bids_recording_has_the_stages_of_its_events_or_none(tmp_path):
    pytest.importorskip("mne_bids", reason="the extra bids is not installed")
    night = eegflex.simulate_psg(hours=0.2, sfreq=100, seed=1, verbose="error")
    night.save_bids(tmp_path / "bids", subject="07")
    (one,) = list_recordings(tmp_path / "bids")
    job = job_of(tmp_path / "out")
    stager = job.stager()
    assert explain_recording(job, stager, one)["error"] == ""
    scored = Folder(tmp_path / "out").read_sidecar(one)["summary"]
    assert scored["recording"]["kappa"] > 0.5
    events = one.hypnogram.read_text().splitlines()
    one.hypnogram.write_text(
        "\n".join([events[0], "\t".join(["10", "1", *["lights off"] * (events[0].count("\t") - 1)])]) + "\n"
    )
    assert explain_recording(job, stager, one)["error"] == ""
    assert Folder(tmp_path / "out").read_sidecar(one)["summary"]["recording"]["kappa"] is None


def test_means_alone_are_summed_up_and_nothing_of_single_epochs_is_tested(tmp_path):
    night = eegflex.simulate_psg(hours=0.4, sfreq=100, seed=1, verbose="error")
    night.save(tmp_path / "night.edf")
    (one,) = list_recordings(str(tmp_path / "*.edf"))
    means = job_of(tmp_path / "out", precision="mean", quadrature="adaptive", n_steps=None, sample_per_stage=0)
    job = dataclasses.replace(means, evaluate=1)
    assert explain_recording(job, job.stager(), one)["error"] == ""
    told = Folder(tmp_path / "out").read_sidecar(one)["summary"]
    assert told["recording"]["n_explained"] == 48
    assert told["recording"]["n_trusted"] == -1
    assert np.isfinite(np.array(told["mean"], dtype=float)).any()


def test_a_seed_is_of_the_name(tmp_path):
    job, other = job_of(tmp_path), job_of(tmp_path, seed=1)
    assert seed_of(job, "sub-1") == seed_of(job, "sub-1")
    assert len({seed_of(job, "sub-1"), seed_of(job, "sub-2"), seed_of(other, "sub-1")}) == 3
    assert job.digest != other.digest
    assert np.iinfo(np.int32).max > seed_of(job, "sub-1") >= 0
