# Reference numbers for three or more levels, equivalence, two factors, ordered items, mixed models, corrections and
# power. Run: Rscript several_levels.R > several_levels.json
# Base R, rstatix (Games-Howell, Dunn), car (type III), ordinal (clm), lme4 and lmerTest, pwr.
suppressMessages({library(jsonlite); library(rstatix); library(car); library(ordinal); library(lme4); library(lmerTest); library(pwr)})
cases <- list()
add <- function(name, method, input, expected, code) {
  cases[[length(cases) + 1]] <<- list(name = name, method = method, input = input, expected = expected, r = code)
}
rows <- function(m) lapply(seq_len(nrow(m)), function(i) m[i, ])

groups <- list(
  ordinary = list(a = c(31, 35.5, 28, 40, 33, 37.25, 29), b = c(25, 30.5, 22, 27, 33.5, 26), c = c(38, 41, 36.5, 44, 39.5)),
  tied = list(a = c(3, 4, 4, 5, 5, 5, 6, 6), b = c(2, 3, 3, 4, 4, 1, 5), c = c(4, 5, 6, 6, 6, 3), d = c(1, 2, 2, 3, 3)),
  unequal = list(a = c(10, 10.5, 9.5, 10.2), b = c(4, 22, 13, 1, 30, 17, 9), c = c(12, 15, 11, 14, 18.5, 9))
)
for (name in names(groups)) {
  g <- groups[[name]]
  d <- data.frame(y = unlist(g), level = factor(rep(names(g), lengths(g))))
  input <- list(groups = unname(g))
  o <- oneway.test(y ~ level, d, var.equal = TRUE)
  add(name, "anova", input, list(statistic = unname(o$statistic), df = unname(o$parameter[1]),
      df_error = unname(o$parameter[2]), p = o$p.value), "oneway.test(y ~ level, var.equal = TRUE)")
  o <- oneway.test(y ~ level, d)
  add(name, "welch_anova", input, list(statistic = unname(o$statistic), df = unname(o$parameter[1]),
      df_error = unname(o$parameter[2]), p = o$p.value), "oneway.test(y ~ level)")
  o <- kruskal.test(y ~ level, d)
  add(name, "kruskal_wallis", input, list(statistic = unname(o$statistic), df = unname(o$parameter), p = o$p.value),
      "kruskal.test(y ~ level)")
  t <- TukeyHSD(aov(y ~ level, d))$level
  add(name, "tukey", input, list(first = -t[1, "diff"], low = -t[1, "upr"], high = -t[1, "lwr"],
      p = unname(t[, "p adj"])), "TukeyHSD(aov(y ~ level)); pairs in order, differences turned round")
  h <- as.data.frame(games_howell_test(d, y ~ level, detailed = TRUE))
  add(name, "games_howell", input, list(first = -h$estimate[1], low = -h$conf.high[1], high = -h$conf.low[1],
      q = h$statistic * sqrt(2), df = h$df), "rstatix::games_howell_test(detailed = TRUE); its statistic is t = q / sqrt(2)")
  n <- as.data.frame(dunn_test(d, y ~ level, p.adjust.method = "holm", detailed = TRUE))
  add(name, "dunn", input, list(z = -n$statistic, p = n$p), "rstatix::dunn_test; differences turned round")
  b <- leveneTest(y ~ level, d, center = median)
  add(name, "brown_forsythe", input, list(statistic = b$`F value`[1], p = b$`Pr(>F)`[1]), "car::leveneTest(center = median)")
}

blocks <- list(
  ordinary = matrix(c(31, 29, 35.5, 28, 26.5, 30, 40, 33, 37.25, 29, 30, 33, 41, 38, 36, 36, 31, 39, 30, 27.5, 34, 25, 26, 28),
                    ncol = 3, byrow = TRUE),
  items = matrix(c(3, 4, 4, 5, 2, 2, 3, 5, 4, 4, 6, 6, 1, 3, 2, 4, 3, 5, 5, 6, 2, 4, 4, 4, 5, 5, 6, 6, 3, 2, 5, 4),
                 ncol = 4, byrow = TRUE)
)
for (name in names(blocks)) {
  m <- blocks[[name]]; n <- nrow(m); k <- ncol(m); input <- list(blocks = rows(m))
  f <- friedman.test(m)
  add(name, "friedman", input, list(statistic = unname(f$statistic), df = unname(f$parameter), p = f$p.value), "friedman.test")
  fit <- lm(m ~ 1)
  a <- anova(fit, X = ~1, test = "Spherical")
  gg <- attr(a, "heading"); eps <- as.numeric(sub(".*: *", "", grep("Greenhouse", gg, value = TRUE)))
  u <- mauchly.test(fit, X = ~1)
  s <- crossprod(contr.helmert(k) %*% diag(1 / sqrt(colSums(contr.helmert(k)^2))), cov(m)) %*%
       (contr.helmert(k) %*% diag(1 / sqrt(colSums(contr.helmert(k)^2))))
  e <- sum(diag(s))^2 / ((k - 1) * sum(s * t(s)))
  add(name, "rm_anova", input, list(statistic = a$F[1], epsilon = e, p = a$`G-G Pr`[1]),
      "anova(lm(m ~ 1), X = ~1, test = 'Spherical')")
  # R 4.2's mauchly.test takes the number of columns for one p of Anderson's w2 (`3 * p` beside `2 * pp^3`); the p here
  # takes the number of contrasts throughout (Anderson 2003, section 10.7.4), from R's W.
  pp <- k - 1; nn <- n - 1; rho <- 1 - (2 * pp^2 + pp + 2) / (6 * pp * nn)
  w2 <- (pp + 2) * (pp - 1) * (pp - 2) * (2 * pp^3 + 6 * pp^2 + 3 * pp + 2) / (288 * (nn * pp * rho)^2)
  z <- -nn * rho * log(u$statistic); ff <- pp * (pp + 1) / 2 - 1
  p1 <- pchisq(z, ff, lower.tail = FALSE); p2 <- pchisq(z, ff + 4, lower.tail = FALSE)
  add(name, "mauchly", input, list(statistic = unname(u$statistic), p = unname(p1 + w2 * (p2 - p1))),
      "W of mauchly.test(lm(m ~ 1), X = ~1); p by Anderson's formula")
  q <- colMeans(t(apply(m, 1, rank)))
  add(name, "nemenyi", input, list(p = unlist(lapply(seq_len(k - 1), function(i) sapply((i + 1):k, function(j)
      ptukey(abs(q[i] - q[j]) / sqrt(k * (k + 1) / (12 * n)), k, Inf, lower.tail = FALSE))))), "ptukey(q, k, Inf)")
}

tost <- function(t_low, t_high, df) max(pt(t_low, df, lower.tail = FALSE), pt(t_high, df))
equivalence <- list(
  close = list(x = c(31, 35.5, 28, 40, 33, 37.25, 29, 36), y = c(30, 34.5, 29, 38, 33.5, 36, 30.5, 35), margin = 5),
  apart = list(x = c(31, 35.5, 28, 40, 33, 37.25), y = c(25, 30.5, 22, 27, 33.5, 26), margin = 2)
)
for (name in names(equivalence)) {
  e <- equivalence[[name]]
  low <- t.test(e$x, e$y, mu = -e$margin, alternative = "greater"); high <- t.test(e$x, e$y, mu = e$margin, alternative = "less")
  ci <- t.test(e$x, e$y, conf.level = .9)$conf.int
  add(name, "tost_groups", e, list(p = max(low$p.value, high$p.value), low = ci[1], high = ci[2]), "two one-sided t.test(x, y, mu)")
  d <- e$x - e$y
  low <- t.test(d, mu = -e$margin, alternative = "greater"); high <- t.test(d, mu = e$margin, alternative = "less")
  ci <- t.test(d, conf.level = .9)$conf.int
  add(name, "tost_pairs", e, list(p = max(low$p.value, high$p.value), low = ci[1], high = ci[2]), "two one-sided t.test(x - y, mu)")
}

cells <- list(
  two_by_two = list(levels = c(2, 2), cells = list(c(31, 35.5, 28, 40), c(25, 30.5, 22, 27, 33.5), c(38, 41, 36.5), c(30, 29, 33, 36, 35, 31))),
  two_by_three = list(levels = c(2, 3), cells = list(c(3, 4, 5, 4), c(2, 3, 3), c(5, 6, 5, 4, 6), c(1, 2, 4), c(3, 3, 2, 4), c(4, 6, 5)))
)
for (name in names(cells)) {
  x <- cells[[name]]; k <- lengths(x$cells)
  d <- data.frame(y = unlist(x$cells), a = factor(rep(rep(1:x$levels[1], each = x$levels[2]), k)),
                  b = factor(rep(rep(1:x$levels[2], x$levels[1]), k)))
  t3 <- Anova(lm(y ~ a * b, d, contrasts = list(a = contr.sum, b = contr.sum)), type = 3)
  add(name, "factorial_between", x, list(f = t3$`F value`[2:4], df = t3$Df[2:4], p = t3$`Pr(>F)`[2:4]),
      "car::Anova(lm(y ~ a * b, contr.sum), type = 3): first, second, interaction")
}
within <- matrix(c(31, 29, 35.5, 28, 26.5, 30, 40, 33, 37.25, 29, 30, 33, 41, 38, 36, 36, 31, 39, 30, 27.5, 34, 25, 26, 28,
                   33, 31, 36, 29, 28, 27, 38, 30, 35, 31, 32, 34), ncol = 6, byrow = TRUE) # 2 x 3 cells
contrast <- function(c) { s <- within %*% t(c); a <- anova(lm(s ~ 1), test = "Hotelling-Lawley")
  list(f = a$`approx F`[1], df = a$`num Df`[1], p = a$`Pr(>F)`[1]) }
first <- matrix(c(1, 1, 1, -1, -1, -1) / 3, 1)
second <- rbind(c(1, -1, 0, 1, -1, 0), c(1, 0, -1, 1, 0, -1)) / 2
inter <- rbind(c(1, -1, 0, -1, 1, 0), c(1, 0, -1, -1, 0, 1))
one <- t.test(within %*% t(first)); parts <- lapply(list(second, inter), contrast)
add("two_by_three", "factorial_within", list(levels = c(2, 3), blocks = rows(within)),
    list(f = c(unname(one$statistic)^2, parts[[1]]$f, parts[[2]]$f), df = c(1, parts[[1]]$df, parts[[2]]$df),
         p = c(one$p.value, parts[[1]]$p, parts[[2]]$p)), "t.test and anova(lm(scores ~ 1), test = 'Hotelling-Lawley') on contrast scores")

ordered <- list(
  item = list(x = c(3, 4, 4, 5, 5, 5, 6, 6, 2, 4, 3, 5), y = c(2, 3, 3, 4, 4, 1, 5, 2, 3, 3, 0, 2, 6)),
  ceiling = list(x = c(6, 6, 6, 6, 5, 6, 6, 4, 6, 6), y = c(6, 5, 6, 6, 5, 4, 6, 3, 6)),
  yes_no = list(x = c(1, 1, 1, 0, 1, 1, 0, 1), y = c(0, 1, 0, 0, 1, 0, 0))
)
for (name in names(ordered)) {
  o <- ordered[[name]]
  d <- data.frame(y = c(o$x, o$y), level = rep(c(1, 0), lengths(o)))
  if (name == "yes_no") { f <- glm(y ~ level, binomial, d, control = list(epsilon = 1e-14)); b <- coef(f)[2]; v <- vcov(f)[2, 2] } else {
    d$y <- factor(d$y, ordered = TRUE)
    f <- clm(y ~ level, data = d, control = clm.control(gradTol = 1e-10)); b <- f$beta; v <- vcov(f)["level", "level"] }
  add(name, "proportional_odds", o, list(value = exp(unname(b)), low = exp(unname(b) - qnorm(.975) * sqrt(v)),
      high = exp(unname(b) + qnorm(.975) * sqrt(v)), p = 2 * pnorm(-abs(unname(b)) / sqrt(v))), "ordinal::clm (glm for yes_no), Wald")
}

set.seed(20)
for (name in c("persona", "crossed", "unbalanced")) {
  d <- expand.grid(persona = sprintf("p%02d", 1:14), level = c("cbt", "none", "other"), rater = c("r1", "r2", "r3"))
  if (name == "persona") d <- subset(d, rater == "r1")
  u <- rnorm(14, 0, 4); r <- c(-1.5, .5, 2)
  d$y <- round(30 + 3 * (d$level == "cbt") + u[as.integer(d$persona)] + (name != "persona") * r[as.integer(d$rater)] + rnorm(nrow(d), 0, 3), 2)
  if (name == "unbalanced") d <- d[-c(1, 5, 9, 17, 30, 31, 44, 58, 77, 78, 90), ]
  f <- if (name == "persona") lmer(y ~ 0 + level + (1 | persona), d) else lmer(y ~ 0 + level + (1 | persona) + (1 | rater), d)
  f <- update(f, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-11)))
  l <- c(1, -1, 0); c1 <- contest1D(f, l, confint = TRUE)
  m <- contestMD(f, rbind(c(1, -1, 0), c(1, 0, -1)))
  v <- as.data.frame(VarCorr(f))
  add(name, "mixed", list(y = d$y, level = as.character(d$level), persona = as.character(d$persona), rater = as.character(d$rater)),
      list(estimate = c1$Estimate, error = c1$`Std. Error`, df = c1$df, p = c1$`Pr(>|t|)`, low = c1$lower, high = c1$upper,
           f = m$`F value`, df_error = m$DenDF, f_p = m$`Pr(>F)`, variance = setNames(as.list(v$vcov), v$grp)),
      "lmer(y ~ 0 + level + (1 | persona) [+ (1 | rater)]); lmerTest contest1D, contestMD")
}

for (p in list(c(.001, .02, .03, .04, .5), c(.2, .01, .01, .8), c(.04))) {
  add(paste(length(p), "tests"), "corrections", list(p = as.list(p)),
      list(holm = as.list(p.adjust(p, "holm")), bh = as.list(p.adjust(p, "BH"))), "p.adjust")
}
for (s in list(c(3, 4, 4, 5, 5, 5, 6, 6, 2, 4), c(1, 1.5, 2, 9, 30, 2.5, 1.2))) {
  w <- shapiro.test(s)
  add(paste(length(s), "values"), "shapiro_wilk", list(x = s), list(statistic = unname(w$statistic), p = w$p.value), "shapiro.test")
}
add("power of pairs", "power_paired", list(n = 20, dz = .5), list(power = pwr.t.test(20, .5, type = "paired")$power), "pwr.t.test")
add("needed pairs", "needed_paired", list(power = .8, dz = .35), list(n = pwr.t.test(d = .35, power = .8, type = "paired")$n), "pwr.t.test")
add("detectable by pairs", "detectable_paired", list(n = 20, power = .8), list(effect = pwr.t.test(20, power = .8, type = "paired")$d), "pwr.t.test")
add("power of groups", "power_groups", list(n = c(28, 12), d = .8), list(power = pwr.t2n.test(28, 12, d = .8)$power), "pwr.t2n.test")
add("detectable by groups", "detectable_groups", list(n = c(28, 12), power = .8), list(effect = pwr.t2n.test(28, 12, power = .8)$d), "pwr.t2n.test")
add("needed in each group", "needed_groups", list(power = .9, d = .6), list(n = pwr.t.test(d = .6, power = .9)$n), "pwr.t.test")
cat(toJSON(list(r_version = R.version.string, cases = cases), digits = NA, auto_unbox = TRUE, pretty = TRUE))
