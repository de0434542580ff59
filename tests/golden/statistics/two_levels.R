# Reference numbers for two independent groups and for pairs. Run: Rscript two_levels.R > two_levels.json
# Base R, pROC (AUC), effectsize (Hedges' g, dz, rank-biserial).
suppressMessages({library(jsonlite); library(pROC); library(effectsize)})
cases <- list()
add <- function(name, method, input, expected, code) {
  cases[[length(cases) + 1]] <<- list(name = name, method = method, input = input, expected = expected, r = code)
}
groups <- list(
  ordinary = list(x = c(31, 35.5, 28, 40, 33, 37.25, 29, 41, 36, 30), y = c(25, 30.5, 22, 27, 33.5, 26, 24, 21)),
  unbalanced = list(x = c(52, 47, 49.5, 61, 55, 58, 44, 50.5, 53, 46, 57, 48), y = c(40.5, 51, 45)),
  tied = list(x = c(3, 4, 4, 5, 5, 5, 6, 6, 2, 4), y = c(2, 3, 3, 4, 4, 1, 5, 2, 3)),
  ceiling = list(x = c(6, 6, 6, 6, 5, 6, 6, 4), y = c(6, 5, 6, 6, 5, 4, 6, 3, 6)),
  large_values = list(x = c(1000001, 1000004, 1000007, 1000002), y = c(1000000, 1000003, 1000009, 1000011, 1000005))
)
for (name in names(groups)) {
  x <- groups[[name]]$x; y <- groups[[name]]$y
  w <- t.test(x, y)
  add(name, "welch", groups[[name]],
      list(estimate = mean(x) - mean(y), low = w$conf.int[1], high = w$conf.int[2],
           statistic = unname(w$statistic), df = unname(w$parameter), p = w$p.value), "t.test(x, y)")
  u <- suppressWarnings(wilcox.test(x, y))
  add(name, "mann_whitney", groups[[name]], list(statistic = unname(u$statistic), p = u$p.value), "wilcox.test(x, y)")
  r <- roc(controls = y, cases = x, direction = "<", quiet = TRUE)
  v <- var(r, method = "delong"); a <- as.numeric(r$auc)
  se <- sqrt(v) / (a * (1 - a))
  add(name, "auc", groups[[name]],
      list(value = a, low = plogis(qlogis(a) - qnorm(.975) * se), high = plogis(qlogis(a) + qnorm(.975) * se)),
      "pROC::roc; var(method = 'delong'); plogis(qlogis(a) +- qnorm(.975) * sqrt(v) / (a (1 - a)))")
  g <- hedges_g(x, y, pooled_sd = TRUE)
  df <- length(x) + length(y) - 2
  j <- exp(lgamma(df / 2) - lgamma((df - 1) / 2)) / sqrt(df / 2)
  s <- sqrt(((length(x) - 1) * var(x) + (length(y) - 1) * var(y)) / df)
  scale <- sqrt(1 / length(x) + 1 / length(y)); t <- (mean(x) - mean(y)) / s / scale
  ncp <- function(p) uniroot(function(d) pt(t, df, d) - p, c(t - 10, t + 10), tol = 1e-12)$root
  add(name, "hedges_g", groups[[name]],
      list(value = (mean(x) - mean(y)) / s * j, low = ncp(.975) * scale * j, high = ncp(.025) * scale * j,
           effectsize = g$Hedges_g, effectsize_low = g$CI_low, effectsize_high = g$CI_high),
      "d * J(df) by lgamma; interval: uniroot on pt(t, df, ncp); effectsize::hedges_g beside it (optimiser, 4 digits)")
}
pairs <- list(
  ordinary = list(x = c(31, 35.5, 28, 40, 33, 37.25, 29, 41, 36, 30), y = c(29, 30, 29.25, 33, 30.5, 30.25, 27.5, 36.75, 33.5, 30.4)),
  sleep = list(x = sleep$extra[11:20], y = sleep$extra[1:10]),
  tied = list(x = c(4, 5, 3, 6, 4, 4, 5, 2, 6, 5, 3, 4), y = c(3, 4, 3, 4, 4, 5, 3, 2, 5, 3, 3, 2)),
  negative = list(x = c(12, 15.5, 11, 19, 14, 13), y = c(14.1, 15, 16.2, 22.3, 18.4, 19.5))
)
for (name in names(pairs)) {
  d <- pairs[[name]]$x - pairs[[name]]$y; n <- length(d)
  w <- t.test(d)
  add(name, "paired_t", pairs[[name]],
      list(estimate = mean(d), low = w$conf.int[1], high = w$conf.int[2], statistic = unname(w$statistic),
           df = unname(w$parameter), p = w$p.value), "t.test(x - y)")
  s <- suppressWarnings(wilcox.test(d))
  add(name, "wilcoxon", pairs[[name]], list(statistic = unname(s$statistic), p = s$p.value), "wilcox.test(x - y)")
  t <- mean(d) / sd(d) * sqrt(n)
  ncp <- function(p) uniroot(function(v) pt(t, n - 1, v) - p, c(t - 10, t + 10), tol = 1e-12)$root
  add(name, "dz", pairs[[name]],
      list(value = mean(d) / sd(d), low = ncp(.975) / sqrt(n), high = ncp(.025) / sqrt(n)),
      "mean(d) / sd(d); interval: uniroot on pt(t, n - 1, ncp)")
  b <- rank_biserial(pairs[[name]]$x, pairs[[name]]$y, paired = TRUE)
  k <- d[d != 0]; r <- rank(abs(k)); m <- length(k)
  rb <- (sum(r[k > 0]) - sum(r[k < 0])) / sum(r)
  h <- qnorm(.975) * sqrt((2 * m^3 + 3 * m^2 + m) / 6) / (m * (m + 1) / 2)
  if (abs(rb) == 1) { # no interval by Fisher's z
    add(name, "rank_biserial", pairs[[name]], list(value = rb), "Kerby's formula in base R")
    next
  }
  add(name, "rank_biserial", pairs[[name]],
      list(value = rb, low = tanh(atanh(rb) - h), high = tanh(atanh(rb) + h),
           effectsize = b$r_rank_biserial, effectsize_low = b$CI_low, effectsize_high = b$CI_high),
      "Kerby's formula and Fisher's z in base R; effectsize::rank_biserial(paired = TRUE) beside it")
}
cat(toJSON(list(r_version = R.version.string, cases = cases), digits = NA, auto_unbox = TRUE, pretty = TRUE))
