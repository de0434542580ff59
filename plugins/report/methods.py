"""A methods section ready to paste, with what it cites: written from the spec and the results, never from memory."""

from __future__ import annotations

from collections.abc import Iterator

from cbtrun.plugin import Comparison, StudyView
from cbtrun.plugins.report.bibliography import software_reference
from cbtrun.plugins.report.inputs import ReportInput
from cbtrun.plugins.report.methods_of_analysis import analyses_told, is_clustered
from cbtrun.plugins.report.models_told import models_sentences
from cbtrun.plugins.report.sample_told import corpora_told, patients_told, sample_size_told
from cbtrun.plugins.report.served import served_words

COMPUTING = ("scipy", "numpy", "statsmodels", "torch", "transformers", "trl", "peft", "vllm")

CITATIONS = {
    "welch": "Welch, B. L. (1947). The generalization of “Student’s” problem when several different population variances are involved. Biometrika, 34, 28–35.",
    "mann-whitney": "Mann, H. B., & Whitney, D. R. (1947). On a test of whether one of two random variables is stochastically larger than the other. Annals of Mathematical Statistics, 18, 50–60.",
    "wilcoxon": "Wilcoxon, F. (1945). Individual comparisons by ranking methods. Biometrics Bulletin, 1, 80–83.",
    "hedges_g": "Hedges, L. V. (1981). Distribution theory for Glass’s estimator of effect size and related estimators. Journal of Educational Statistics, 6, 107–128.",
    "dz": "Lakens, D. (2013). Calculating and reporting effect sizes to facilitate cumulative science. Frontiers in Psychology, 4, 863.",
    "auc": "DeLong, E. R., DeLong, D. M., & Clarke-Pearson, D. L. (1988). Comparing the areas under two or more correlated receiver operating characteristic curves. Biometrics, 44, 837–845.",
    "cliffs_delta": "Cliff, N. (1993). Dominance statistics: ordinal analyses to answer ordinal questions. Psychological Bulletin, 114, 494–509.",
    "holm": "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics, 6, 65–70.",
    "bh": "Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate: a practical and powerful approach to multiple testing. Journal of the Royal Statistical Society B, 57, 289–300.",
    "gate": "Westfall, P. H., & Krishen, A. (2001). Optimally weighted, fixed sequence and gatekeeper multiple testing procedures. Journal of Statistical Planning and Inference, 99, 25–40.",
    "together": "Strassburger, K., & Bretz, F. (2008). Compatible simultaneous lower confidence bounds for the Holm procedure and other Bonferroni-based closed tests. Statistics in Medicine, 27, 4914–4927.",
    "prediction-powered": "Angelopoulos, A. N., Bates, S., Fannjiang, C., Jordan, M. I., & Zrnic, T. (2023). Prediction-powered inference. Science, 382, 669–674.",
    "rogan-gladen": "Rogan, W. J., & Gladen, B. (1978). Estimating prevalence from the results of a screening test. American Journal of Epidemiology, 107, 71–76.",
    "tost": "Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power approach for assessing the equivalence of average bioavailability. Journal of Pharmacokinetics and Biopharmaceutics, 15, 657–680.",
    "interaction": "Altman, D. G., & Bland, J. M. (2003). Interaction revisited: the difference between two estimates. BMJ, 326, 219.",
    "clustered": "Cameron, A. C., & Miller, D. L. (2015). A practitioner’s guide to cluster-robust inference. Journal of Human Resources, 50, 317–372.",
    "lora": "Hu, E. J., et al. (2022). LoRA: low-rank adaptation of large language models. ICLR.",
}


def methods_text(given: ReportInput) -> list[str]:
    """Paragraphs of a methods section."""
    parts = (
        [*_material(given), *patients_told(given), *corpora_told(given)],
        [*models_sentences(given), *served_words(given)],
        _ratings(given),
        [*sample_size_told(given)],
        analyses_told(given),
        [*_registration(given), *_software(given)],
        _stated(given),
    )
    return [" ".join(part) for part in parts if part]


def citations(given: ReportInput) -> list[str]:
    """What the methods section cites, by author."""
    used = {size.name for one in given.results.comparisons for size in one.effects}
    used |= {test.name for one in given.results.comparisons for test in one.tests}
    used |= {one.correction for one in given.results.comparisons}
    used |= {"gate"} if any(one.held_back for one in given.results.comparisons) else set()
    used |= {"together"} if any(_is_together(one) for one in given.results.comparisons) else set()
    used |= {one.corrected.method for one in given.results.comparisons if one.corrected is not None}
    used |= {"lora"} if given.study.tune_jobs else set()
    used |= {"clustered"} if is_clustered(given) else set()
    own = software_reference(given.environment.versions.get("cbtrun", ""))
    rubrics = {" ".join(rated.rubric.source.split()) for rated in given.results.ratings.values()}
    return sorted({own, *rubrics, *(CITATIONS[name] for name in used if name in CITATIONS)})


def _material(given: ReportInput) -> list[str]:
    counts, study = given.results.counts, given.study
    block = study.sessions
    if block.using == "import":
        return [f"We rated {counts.sessions} existing therapy sessions."]
    arms = study.arms
    told = [f"We simulated {counts.sessions} therapy sessions"]
    told[0] += f" with {counts.personas} simulated patients" if counts.personas else ""
    told[0] += f" under {len(arms)} arms ({', '.join(arms)})." if len(arms) > 1 else "."
    limits = [f"at most {block.max_turns} turns a session"] if block.max_turns else []
    limits += [f"{block.repeats} sessions for each patient and arm"] if block.repeats != 1 else []
    return [*told, *([f"There were {' and '.join(limits)}."] if limits else []), *_tuning(study)]


def _tuning(study: StudyView) -> Iterator[str]:
    for name, job in study.tune_jobs.items():
        options = job.options
        lora = options.get("lora") or {}
        rank = f" (rank {lora['rank']}, alpha {lora.get('alpha', '–')})" if "rank" in lora else ""
        steps = f", {options['max_steps']} steps" if options.get("max_steps") else ""
        rate = (
            f", learning rate {options['learning_rate']:g}"
            if isinstance(options.get("learning_rate"), (int, float))
            else ""
        )
        yield f"The model {name} was tuned from {job.base} on {job.corpus} with LoRA{rank}{steps}{rate}."


def _ratings(given: ReportInput) -> list[str]:
    told = []
    for name, rated in given.results.ratings.items():
        facts = rated.rubric
        many = f"{rated.repeats} times each " if rated.repeats > 1 else ""
        worded = f", asked in {len(rated.wordings)} wordings ({', '.join(rated.wordings)})" if rated.wordings else ""
        raters = f"by {len(rated.raters)} rater{'s' if len(rated.raters) != 1 else ''} ({', '.join(rated.raters)})"
        told.append(
            f"Every session was rated {many}{raters}{worded} on the {facts.title} ({facts.name} version {facts.version}, "
            f"digest {facts.digest[:12]}; rating set {name}), {facts.validation}."
        )
    return (
        [*told, "Raters saw neither arm nor model, and sessions reached them in an order drawn from the seed."]
        if told
        else []
    )


def _software(given: ReportInput) -> list[str]:
    versions = given.environment.versions
    # The packages that computed what is told here; all of them stand under Provenance.
    named = ", ".join(f"{name} {versions[name]}" for name in ("python", *COMPUTING) if name in versions)
    own = f"cbtrun {versions['cbtrun']}" if "cbtrun" in versions else "cbtrun"
    seed = f"seed {given.results.seed}, specification {given.results.spec_digest[:12]}"
    return [f"The study was run with {own} ({seed}){f' using {named}' if named else ''}."]


def _registration(given: ReportInput) -> Iterator[str]:
    """Whether the study was registered, and how far it kept to it."""
    if given.promise is None:
        yield "The study was not pre-registered."
        return
    yield given.promise.words
    count = len(given.promise.deviations)
    yield (
        f"It deviates from its registration in {count} point{'s' if count != 1 else ''}."
        if count
        else "It does not deviate from it."
    )


STATED = {
    "ethics": "Ethics",
    "protocol": "Protocol and registration",
    "funding": "Funding",
    "interests": "Conflicts of interest",
    "data": "Data availability",
    "code": "Code availability",
    "involvement": "Patient and public involvement",
}


def _stated(given: ReportInput) -> list[str]:
    """What the authors state, as they wrote it."""
    told = given.study.statements
    return [f"{title}: {' '.join(told[name].split()).rstrip('.')}." for name, title in STATED.items() if name in told]


def _is_together(one: Comparison) -> bool:
    return one.correction == "holm" and one.interval_adjusted is not None and (one.family or 1) > 1
