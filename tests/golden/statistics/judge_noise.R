# Reference numbers for judge noise and for the bootstrap. Run: Rscript judge_noise.R > judge_noise.json
# Base R (aov) and boot.
suppressMessages({library(jsonlite); library(boot)})
cases <- list()
add <- function(name, method, input, expected, code) {
  cases[[length(cases) + 1]] <<- list(name = name, method = method, input = input, expected = expected, r = code)
}
long <- function(scores, groups) data.frame(y = c(t(scores)), session = factor(rep(seq_len(nrow(scores)), each = ncol(scores))),
                                            rater = factor(rep(seq_len(ncol(scores)), nrow(scores))), group = factor(rep(groups, each = ncol(scores))))
tables <- list(
  shrout_fleiss = list(scores = matrix(c(9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7), 6, byrow = TRUE),
                       groups = rep("all", 6)),
  two_groups = list(scores = matrix(c(31, 33, 30, 40, 38, 41, 35, 36, 33, 28, 27, 30, 22, 25, 21, 30, 33, 29, 27, 26, 25), 7, byrow = TRUE),
                    groups = c("a", "a", "a", "a", "b", "b", "b"))
)
for (name in names(tables)) {
  x <- tables[[name]]; d <- long(x$scores, x$groups); k <- ncol(x$scores); n <- nrow(x$scores)
  formula <- if (length(unique(x$groups)) > 1) y ~ group + session + rater else y ~ session + rater
  a <- anova(aov(formula, d)); ms <- function(term) a[term, "Mean Sq"]
  add(name, "two_way", list(scores = lapply(seq_len(n), function(i) x$scores[i, ]), groups = x$groups),
      list(session = max(0, (ms("session") - ms("Residuals")) / k), rater = max(0, (ms("rater") - ms("Residuals")) / n),
           residual = ms("Residuals")), "anova(aov(y ~ [group +] session + rater)), expected mean squares")
  o <- anova(aov(if (length(unique(x$groups)) > 1) y ~ group + session else y ~ session, d))
  add(name, "one_way", list(scores = lapply(seq_len(n), function(i) x$scores[i, ]), groups = x$groups),
      list(session = max(0, (o["session", "Mean Sq"] - o["Residuals", "Mean Sq"]) / k), residual = o["Residuals", "Mean Sq"]),
      "anova(aov(y ~ [group +] session)), expected mean squares")
}
set.seed(1)
# The studentised bootstrap needs the variance of each resample's mean.
with_variance <- function(v, i) c(mean(v[i]), var(v[i]) / length(i))
for (d in list(c(1.2, 3.4, -0.5, 2.2, 0.8, 5.1, 1.9, -1.1, 2.6, 3.3, 0.4, 1.5), c(0, 3, 1, 0, 2, 5, 7, 1, 1, 4, 3, 0, 2, 1, 12))) {
  b <- boot.ci(boot(d, with_variance, 200000), type = "stud")$student
  add(paste(length(d), "values"), "studentised", list(x = d), list(low = b[4], high = b[5]), "boot::boot.ci(type = 'stud'), 200,000 resamples")
}
cat(toJSON(list(r_version = R.version.string, cases = cases), digits = NA, auto_unbox = TRUE, pretty = TRUE))
