"""Lesson 03 with one mistake in it: the claim that should notice does notice.

Each mutant replaces one piece of the lesson's own code, runs the cells before the claim that guards it, and expects
that claim to fail. Cells that draw or call PyMC are left out, because no formula lives there.
"""

from pathlib import Path

import lesson_text
import pytest

from bnn_course import claims

SOURCE = Path(lesson_text.__file__).parent / "source" / "03_elbo.md"
LESSON = lesson_text.source_cells(SOURCE.read_text(encoding="utf-8"))
CELLS = [cell.source for cell in LESSON if cell.cell_type == "code"]
LEFT_OUT = ("plt.subplots", "pm.fit(", "pymc_fit", "shortfall")  # figures, PyMC, and claims about what PyMC found


@pytest.fixture
def failing(monkeypatch):
    """The claims that fail while a lesson runs; a failing claim does not stop it."""
    failed, original = [], claims.claim

    def recording(id, *arguments, **bounds):
        try:
            original(id, *arguments, **bounds)
        except claims.ClaimError:
            failed.append(id)

    monkeypatch.setattr(claims, "claim", recording)
    return failed


def run(claim, right="", wrong=""):
    """Run the lesson with `wrong` in the place of `right`, up to the cell that makes `claim`."""
    places = sum(cell.count(right) for cell in CELLS) if right else 0
    assert not right or places == 1, f"{right!r} stands {places} times in the lesson"
    namespace = {}
    for cell in CELLS:
        if any(word in cell for word in LEFT_OUT):
            continue
        code = cell.replace(right, wrong) if right else cell
        exec(compile(code, SOURCE.name, "exec"), namespace)
        if f'claim("{claim}"' in cell:
            return
    raise AssertionError(f"the lesson makes no claim {claim} that can be reached without PyMC")


MUTANTS = {
    # the decomposition and its closed forms
    "entropy with the wrong sign": (
        "    return likelihood + prior + entropy\n",
        "    return likelihood + prior - entropy\n",
        "03-normal",
    ),
    "spread forgotten in the expected misfit": (" + n * sigma**2\n", "\n", "03-normal"),
    "KL with the logarithm upside down": (
        "return np.log(sd / sigma) + (sigma**2",
        "return np.log(sigma / sd) + (sigma**2",
        "03-normal",
    ),
    "prior dropped from the joint": (
        "return likelihood + stats.norm.logpdf(theta, 0, prior_sd)",
        "return likelihood",
        "03-lines",
    ),
    "evidence of independent data": (
        "noise**2 * np.eye(n) + prior_sd**2 ",
        "(noise**2 + prior_sd**2) * np.eye(n) ",
        "03-known",
    ),
    "quadrature without ln q": (
        "return integral(q * (joint - log_q)), integral(q * (log_q - log_posterior))",
        "return integral(q * joint), integral(q * (log_q - log_posterior))",
        "03-humps",
    ),
    "a bound from a joint that is too large": (
        "normal_elbo, normal_kl = elbo(mus, sigmas)",
        "normal_elbo, normal_kl = elbo(mus, sigmas) + 5",
        "03-bound",
    ),
    "gradient with the prior's sign flipped": (" - mu / prior_sd**2\n", " + mu / prior_sd**2\n", "03-gradient"),
    # Monte Carlo
    "Monte Carlo without ln q": (
        "(log_joint(draws) - stats.norm.logpdf(draws, mu, sigma)).mean",
        "log_joint(draws).mean",
        "03-unbiased",
    ),
    "Monte Carlo with draws of twice the width": (
        "draws = rng.normal(mu, sigma, shape)",
        "draws = rng.normal(mu, 2 * sigma, shape)",
        "03-unbiased",
    ),
    # the two directions
    "directions exchanged": (
        "first, second = (log_p, log_q) if reverse else (log_q, log_p)",
        "first, second = (log_q, log_p) if reverse else (log_p, log_q)",
        "03-seeking",
    ),
    # mean field
    "marginal variance instead of one over the precision": (
        "sigma[j] = precision[j, j] ** -0.5",
        "sigma[j] = cov[j][j] ** 0.5",
        "03-deficit",
    ),
    "coupling with the wrong sign": (
        "mu[j] = mean[j] - precision[j, others]",
        "mu[j] = mean[j] + precision[j, others]",
        "03-flat",
    ),
    "KL without the determinant": (" + np.linalg.slogdet(cov)[1])", ")", "03-independence"),
    "regression without its prior": (
        "inputs.T @ inputs / 0.5**2 + np.eye(2))",
        "inputs.T @ inputs / 0.5**2)",
        "03-regression",
    ),
    # unknown mean and precision
    "half a degree of freedom forgotten": ("a = a0 + (count + 1) / 2", "a = a0 + count / 2", "03-tau-mean"),
    "spread forgotten in the update of the precision": (
        "b0 + 0.5 * (squares + (count + kappa0) * sigma**2)",
        "b0 + 0.5 * squares",
        "03-tau-mean",
    ),
    "log precision forgotten in the prior of the mean": (
        "prior_m = 0.5 * (np.log(kappa0) + mean_log_tau - np.log(2 * np.pi))",
        "prior_m = 0.5 * (np.log(kappa0) - np.log(2 * np.pi))",
        "03-gamma",
    ),
    "Gamma entropy with the wrong sign of ln b": (
        "entropy_tau = a - np.log(b)",
        "entropy_tau = a + np.log(b)",
        "03-gamma",
    ),
    "Jacobian of ln τ dropped from the grid": (
        "return (np.exp(log_q) * tau_grid * (log_q - log_exact)).sum() * area",
        "return (np.exp(log_q) * (log_q - log_exact)).sum() * area",
        "03-gamma",
    ),
    "Jacobian dropped from the evidence": ("(np.exp(log_joint_n) * tau_grid)", "np.exp(log_joint_n)", "03-evidence"),
    "Jacobian of ln τ dropped from the ELBO": (
        "entropy_m + entropy_log_tau + nu",
        "entropy_m + entropy_log_tau",
        "03-lognormal",
    ),
    "the bug that the lesson shows, repaired": ("return a - 0.5, b", "return a, b", "03-bug"),
    # the smallest network
    "KL to the prior without its variance": (
        "np.log(var) - mu**2 - var).sum()",
        "np.log(var) - mu**2).sum()",
        "03-net",
    ),
    "integral over the second weight without its width": ("- 0.5 * np.log(1 + A * w**2) + 0.5", "+ 0.5", "03-net"),
    "spread of the other weight forgotten": (
        "A * (mu[other] ** 2 + var[other]))",
        "A * mu[other] ** 2)",
        "03-net-rises",
    ),
    "a start that is not quite zero": ('"zero": train(0.0)', '"zero": train(1e-9)', "03-stuck"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_caught(mutant, failing):
    right, wrong, claim = MUTANTS[mutant]
    run(claim, right, wrong)
    assert claim in failing


def test_the_lesson_without_mistakes_passes(failing):
    run("03-lognormal")
    assert failing == []
