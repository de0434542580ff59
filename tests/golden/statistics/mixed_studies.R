# Fits the studies that mixed_studies.py drew: the best of lme4's optimisers from three starts, polished; df by lmerTest.
# python mixed_studies.py > drawn.json && Rscript mixed_studies.R drawn.json mixed_studies.json
# Made with R 4.2.2, lme4 1.1-31, lmerTest 3.1-3.
suppressMessages({library(jsonlite); library(lme4); library(lmerTest)})
files <- commandArgs(TRUE)
studies <- fromJSON(files[1], simplifyVector = FALSE)
quiet <- function(x) suppressMessages(suppressWarnings(x))
fit <- function(formula, d, optimizer, control = list(), start = NULL) quiet(tryCatch(
  lme4::lmer(formula, d, start = start, control = lmerControl(optimizer, optCtrl = control, calc.derivs = FALSE,
    check.conv.singular = "ignore", check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", check.rankX = "ignore")),
  error = function(e) NULL))
for (i in seq_along(studies)) {
  s <- studies[[i]]
  d <- as.data.frame(lapply(s$columns, function(x) strsplit(x, " ")[[1]]), check.names = FALSE)
  names(d) <- gsub(":", ".", names(d)); d$y <- as.numeric(strsplit(s$values, " ")[[1]])
  d$level <- factor(d$level)
  parts <- sapply(setdiff(names(d), c("level", "y")), function(t) {
    if (any(d[[t]] == "-")) { d[[paste0("in.", t)]] <<- as.numeric(d[[t]] != "-"); sprintf("(0 + in.%s | %s)", t, t) }
    else sprintf("(1 | %s)", t)
  })
  formula <- as.formula(paste("y ~ 0 + level +", paste(parts, collapse = " + ")))
  found <- list()
  for (start in c(1, 0.05, 5)) for (o in c("bobyqa", "nloptwrap", "Nelder_Mead", "nlminbwrap"))
    found <- c(found, fit(formula, d, o, start = if (start == 1) NULL else rep(start, length(parts))))
  best <- found[[which.min(sapply(found, REMLcrit))]]
  theta <- getME(best, "theta")
  tested <- quiet(lmerTest::lmer(formula, d, start = theta, control = lmerControl("bobyqa", calc.derivs = FALSE,
    optCtrl = list(rhobeg = 0.01, rhoend = 1e-9), check.conv.singular = "ignore", check.nobs.vs.nlev = "ignore",
    check.nobs.vs.nRE = "ignore", check.rankX = "ignore")))
  lowest <- min(REMLcrit(best), REMLcrit(tested))
  if (REMLcrit(tested) > lowest + 1e-7) stop(s$name)
  l <- c(1, -1, rep(0, nlevels(d$level) - 2))
  v <- as.data.frame(VarCorr(tested))
  c1 <- contest1D(tested, l)
  f <- if (nlevels(d$level) > 2) quiet(contestMD(tested, rbind(c(1, -1, 0), c(1, 0, -1))))
  names <- sub("[.]", ":", sub("[.][0-9]+$", "", v$grp))
  s$expected <- list(criterion = lowest, default = unname(REMLcrit(found[[2]])), estimate = c1$Estimate,
    error = c1$`Std. Error`, df = c1$df, p = c1$`Pr(>|t|)`, singular = isSingular(tested, 1e-4),
    variance = setNames(as.list(v$vcov), ifelse(names == "Residual", "residual", names)))
  if (!is.null(f)) s$expected$f <- list(statistic = f$`F value`, df_error = f$DenDF, p = f$`Pr(>F)`)
  studies[[i]] <- s
}
writeLines(paste0("[\n", paste(sapply(studies, toJSON, auto_unbox = TRUE, digits = 10), collapse = ",\n"), "\n]"), files[2])
